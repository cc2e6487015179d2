package io.attention4j.chat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * One message of a conversation.
 *
 * @param role system, user, assistant or tool; a template may know others
 * @param content text; null only where there are tool calls
 * @param toolCalls what an assistant calls; may be empty
 * @param name of the tool whose answer this is, or of a speaker; may be null
 * @param toolCallId of the call that this answers; may be null
 * @param reasoning what an assistant thought, without its markers; may be null
 */
public record ChatMessage(
    String role,
    String content,
    List<ToolCall> toolCalls,
    String name,
    String toolCallId,
    String reasoning) {

  /** Copies the list. */
  public ChatMessage {
    Objects.requireNonNull(role, "role");
    toolCalls = List.copyOf(toolCalls);
    if (content == null && toolCalls.isEmpty()) {
      throw new IllegalArgumentException(
          "a message of " + role + " has neither content nor tool calls; give it text");
    }
  }

  /** A message that is only text. */
  public static ChatMessage of(String role, String content) {
    return new ChatMessage(role, content, List.of(), null, null, null);
  }

  /** What the model is told to be. */
  public static ChatMessage system(String content) {
    return of("system", content);
  }

  /** What the person says. */
  public static ChatMessage user(String content) {
    return of("user", content);
  }

  /** What the model said. */
  public static ChatMessage assistant(String content) {
    return of("assistant", content);
  }

  /** A tool's answer to a call. */
  public static ChatMessage tool(ToolCall call, String content) {
    return new ChatMessage("tool", content, List.of(), call.name(), call.id(), null);
  }

  /** The form that chat templates read; absent parts have no key. */
  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("role", role);
    map.put("content", content);
    if (!toolCalls.isEmpty()) {
      map.put("tool_calls", toolCalls.stream().map(ToolCall::toMap).toList());
    }
    if (name != null) {
      map.put("name", name);
    }
    if (toolCallId != null) {
      map.put("tool_call_id", toolCallId);
    }
    if (reasoning != null) {
      map.put("reasoning_content", reasoning);
    }
    return map;
  }
}
