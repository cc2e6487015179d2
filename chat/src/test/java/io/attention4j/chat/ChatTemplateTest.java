package io.attention4j.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ChatTemplateTest {
  private static final String TEMPLATE =
      """
      {{ bos_token }}{% for m in messages %}
      [{{ m.role }}]{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}
      {% if m.tool_call_id is defined %}<{{ m.name }} {{ m.tool_call_id }}>{% endif %}
      {% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}
      {% endfor %}
      {% if tools %}tools {{ tools | length }}{% endif %}
      {{ strftime_now('%Y') }} {{ mood }}
      {%- if add_generation_prompt %} [assistant]{% endif %}
      """;

  @Test
  void rendersMessagesOfTheApi() {
    ToolCall call = new ToolCall("c1", "add", Map.of("a", 1));
    ChatTemplate template = ChatTemplate.of(TEMPLATE, Map.of("bos_token", "<s>"));
    String text =
        template.render(
            List.of(
                ChatMessage.system("sys"),
                ChatMessage.user("1+1?"),
                new ChatMessage("assistant", null, List.of(call), null, null, "hm"),
                ChatMessage.tool(call, "2"),
                ChatMessage.assistant("two")),
            RenderOptions.defaults()
                .withTools(List.of(Map.of("type", "function")))
                .withClock(Clock.fixed(Instant.parse("2031-01-01T00:00:00Z"), ZoneOffset.UTC))
                .withVariables(Map.of("mood", "calm")));
    assertEquals(
        "<s>[system]sys[user]1+1?"
            + "[assistant]None[{\"id\": \"c1\", \"type\": \"function\", \"function\":"
            + " {\"name\": \"add\", \"arguments\": {\"a\": 1}}}](hm)"
            + "[tool]2<add c1>[assistant]twotools 12031 calm [assistant]",
        text);
  }

  @Test
  void errorsAreOneSentence() {
    assertEquals(
        "The chat template is broken at line 2: expected an expression but found 'end of tag'.",
        assertThrows(ChatTemplateException.class, () -> ChatTemplate.of("a\n{{ 1 + }}", Map.of()))
            .getMessage());
    ChatTemplate refusing = ChatTemplate.of("\n{{ raise_exception('no system role') }}", Map.of());
    assertEquals(
        "The chat template failed at line 2: it refuses this conversation: no system role.",
        assertThrows(
                ChatTemplateException.class,
                () -> refusing.render(List.of(), RenderOptions.defaults()))
            .getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> new ChatMessage("user", null, List.of(), null, null, null));
  }

  @Test
  void oneTemplateRendersOnManyThreads() {
    ChatTemplate template =
        ChatTemplate.of("{% for m in messages %}{{ m.content }}{% endfor %}", Map.of());
    List<String> texts =
        IntStream.range(0, 500)
            .parallel()
            .mapToObj(
                i -> template.render(List.of(ChatMessage.user("m" + i)), RenderOptions.defaults()))
            .toList();
    for (int i = 0; i < texts.size(); i++) {
      assertEquals("m" + i, texts.get(i));
    }
  }
}
