package io.attention4j.chat;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * A call of a function that an assistant asks for.
 *
 * @param id names the call for the message that answers it; may be null
 * @param name of the function
 * @param arguments JSON values by parameter name, in order
 */
public record ToolCall(String id, String name, Map<String, Object> arguments) {
  /** Copies the arguments. */
  public ToolCall {
    Objects.requireNonNull(name, "name");
    arguments = Collections.unmodifiableMap(new LinkedHashMap<>(arguments));
  }

  /** The form that chat templates read, which is OpenAI's. */
  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    if (id != null) {
      map.put("id", id);
    }
    map.put("type", "function");
    Map<String, Object> function = new LinkedHashMap<>();
    function.put("name", name);
    function.put("arguments", arguments);
    map.put("function", function);
    return map;
  }
}
