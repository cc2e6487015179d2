package io.attention4j.chat.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Small templates against what jinja2 3.1 gave (src/test/python/render_expected.py). */
class SnippetTest {
  private static final ZonedDateTime NOW = ZonedDateTime.of(2025, 7, 4, 9, 5, 6, 0, ZoneOffset.UTC);

  record Snippet(String template, Map<String, Object> variables, String expected, String error) {
    @Override
    public String toString() {
      return template;
    }
  }

  static Stream<Snippet> snippets() throws IOException {
    try (InputStream in =
        SnippetTest.class.getResourceAsStream("/io/attention4j/chat/snippets.json")) {
      List<Snippet> snippets = new ObjectMapper().readValue(in, new TypeReference<>() {});
      return snippets.stream();
    }
  }

  @ParameterizedTest
  @MethodSource("snippets")
  void rendersWhatJinja2Renders(Snippet snippet) {
    Map<String, Object> variables = snippet.variables() == null ? Map.of() : snippet.variables();
    if (snippet.error() != null) {
      assertThrows(
          TemplateException.class,
          () -> new CompiledTemplate(snippet.template()).render(variables, NOW),
          snippet.error());
    } else {
      assertEquals(
          snippet.expected(), new CompiledTemplate(snippet.template()).render(variables, NOW));
    }
  }
}
