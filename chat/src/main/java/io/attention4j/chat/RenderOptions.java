package io.attention4j.chat;

import java.time.Clock;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a template is rendered with besides the messages.
 *
 * @param addGenerationPrompt ends the text with what opens the assistant's next message
 * @param tools functions on offer, as JSON values: OpenAI's {@code {"type": "function", "function":
 *     {...}}}; empty for none
 * @param clock what {@code strftime_now} tells; its zone counts
 * @param variables more variables for the template, for example {@code enable_thinking}: null,
 *     text, booleans, numbers, lists and maps. They replace those of the same name
 */
public record RenderOptions(
    boolean addGenerationPrompt,
    List<Map<String, Object>> tools,
    Clock clock,
    Map<String, Object> variables) {

  /** Copies the collections. */
  public RenderOptions {
    tools = List.copyOf(tools);
    Objects.requireNonNull(clock, "clock");
    variables = Collections.unmodifiableMap(new LinkedHashMap<>(variables));
  }

  /** With a generation prompt, no tools, the system's clock and zone. */
  public static RenderOptions defaults() {
    return new RenderOptions(true, List.of(), Clock.systemDefaultZone(), Map.of());
  }

  /** The same with or without a generation prompt. */
  public RenderOptions withAddGenerationPrompt(boolean value) {
    return new RenderOptions(value, tools, clock, variables);
  }

  /** The same with other tools. */
  public RenderOptions withTools(List<Map<String, Object>> value) {
    return new RenderOptions(addGenerationPrompt, value, clock, variables);
  }

  /** The same with another clock. */
  public RenderOptions withClock(Clock value) {
    return new RenderOptions(addGenerationPrompt, tools, value, variables);
  }

  /** The same with other variables. */
  public RenderOptions withVariables(Map<String, Object> value) {
    return new RenderOptions(addGenerationPrompt, tools, clock, value);
  }
}
