package io.attention4j.chat.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SandboxTest {
  private static final ZonedDateTime NOW = ZonedDateTime.of(2025, 7, 4, 9, 5, 6, 0, ZoneOffset.UTC);

  private static String render(String template, Map<String, Object> variables) {
    return new CompiledTemplate(template).render(variables, NOW);
  }

  /** Each would fill time or memory; each ends with one sentence, within seconds. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='xx') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor"
            + " %}",
        "{% set n = namespace(x=1) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}{% endfor"
            + " %}{{ n.x }}",
        "{% set n = namespace(x=1) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}{% endfor"
            + " %}{{ n.x == n.x | list }}",
        "{% set n = namespace(x=1) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}{% endfor"
            + " %}{{ n.x | tojson }}",
        "{% set n = namespace(x=(1,)) %}{% for i in range(90) %}{% set n.x = (n.x, n.x) %}{% endfor"
            + " %}{{ {n.x: 1} }}",
        "{% set n = namespace(x=1) %}{% for i in range(900) %}{% set n.x = [n.x] %}{% endfor %}{{"
            + " n.x }}",
        "{{ 'x' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ 'x'.zfill(2147483647) }}",
        "{{ 'x' | indent(2147483647, true) }}",
        "{{ ('x' * 1000000).replace('', 'y' * 1000000) }}",
        "{{ ('y' * 1000000).join('x' * 1000000) }}",
        "{{ range(100000) | batch(1, 'x') | list }}{{ [1] | batch(99999999999, 'x') | list * 99999"
            + " }}",
        "{{ 2 ** 99999 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ '%999999999d' % 1 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "{% set xs = range(100000) %}{% for i in xs %}{{ xs == xs }}{% endfor %}",
        "{% set xs = range(100000) | list %}{% for i in xs %}{{ -1 in xs }}{% endfor %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ 'y' in s }}{% endfor %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s == s ~ '' }}{% endfor %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s[0] }}{% endfor %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s | length }}{% endfor %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s.startswith('y') }}{% endfor"
            + " %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s is lower }}{% endfor %}",
        "{% set s = ' ' * 1000000 %}{% for i in range(100000) %}{{ s | trim }}{% endfor %}",
        "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s | int }}{% endfor %}",
        "{% set s = 'x ' * 1000000 %}{% for i in range(100000) %}{{ s | wordcount }}{% endfor %}",
        "{% set m = dict(x=range(100000)) %}{% for i in range(100000) %}{% set y = dict(m, z=m.x |"
            + " list) %}{% endfor %}",
        "{{ 'x'.getClass() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.class.forName('java.lang.Runtime') }}",
        "{{ range.__globals__ }}{{ range.x.y }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% from 'x' import y %}"
      })
  void hostileTemplatesEndWithASentence(String template) {
    String message =
        assertTimeoutPreemptively(
            Duration.ofSeconds(8),
            () ->
                assertThrows(TemplateException.class, () -> render(template, Map.of()))
                    .getMessage());
    assertTrue(message.matches("line \\d+: [^\\n]{5,300}"), message);
  }

  @Test
  void deepTemplatesAreRefusedWithoutOverflow() {
    int depth = 20_000;
    for (String template :
        List.of(
            "{{ " + "(".repeat(depth) + "1" + ")".repeat(depth) + " }}",
            "{{ " + "[".repeat(depth) + "]".repeat(depth) + " }}",
            "{{ " + "-".repeat(depth) + "1 }}",
            "{{ 1" + " + 1".repeat(depth) + " }}",
            "{{ x" + ".y".repeat(depth) + " }}",
            "{{ x" + " | list".repeat(depth) + " }}",
            "{{ " + "1 if 1 else ".repeat(depth) + "1 }}",
            "{% if true %}".repeat(depth) + "{% endif %}".repeat(depth))) {
      assertThrows(TemplateException.class, () -> render(template, Map.of()));
    }
    assertEquals("True", render("{{ not " + "not ".repeat(2 * depth + 1) + "x }}", Map.of("x", 1)));
  }

  @Test
  void hostileVariablesAreRefused() {
    List<Object> loop = new ArrayList<>();
    loop.add(loop);
    assertThrows(TemplateException.class, () -> render("", Map.of("x", loop)));
    assertTrue(
        assertThrows(TemplateException.class, () -> render("", Map.of("x", new Object())))
            .getMessage()
            .contains("java.lang.Object"));
    assertThrows(TemplateException.class, () -> render("", Map.of("x", Map.of(1, 2))));
  }

  /** Values are only ever values: no round of rendering reads them as template. */
  @Test
  void valuesAreNotInterpreted() {
    String value = "{{ 7 * 7 }}{% if true %}{# x #}{% endif %}{{ raise_exception('no') }}";
    assertEquals(value, render("{{ x }}", Map.of("x", value)));
    assertEquals(
        value + value, render("{% set y %}{{ x }}{% endset %}{{ y }}{{ x }}", Map.of("x", value)));
  }

  @Test
  void generationMarksNothing() {
    assertEquals("axb", render("a{% generation %}x{% endgeneration %}b", Map.of()));
  }

  /** Mutated templates either compile and render or give a TemplateException; nothing else. */
  @Test
  void mutatedTemplatesNeverCrash() throws IOException {
    String seeds;
    try (InputStream in = getClass().getResourceAsStream("/io/attention4j/chat/snippets.json")) {
      seeds = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    List<String> lines = seeds.lines().filter(line -> line.length() > 20).toList();
    SplittableRandom random = new SplittableRandom(3);
    int rendered = 0;
    for (int round = 0; round < 2000; round++) {
      StringBuilder template = new StringBuilder(lines.get(random.nextInt(lines.size())));
      for (int edits = random.nextInt(4); edits > 0; edits--) {
        int at = random.nextInt(template.length());
        if (random.nextBoolean()) {
          template.deleteCharAt(at);
        } else {
          template.insert(at, "{%}'\"|([])-#. \\".charAt(random.nextInt(15)));
        }
      }
      try {
        render(template.toString(), Map.of("x", List.of(1, "a"), "m", Map.of("a", 1)));
        rendered++;
      } catch (TemplateException e) {
        assertTrue(e.getMessage().startsWith("line "), e.getMessage());
      }
    }
    assertTrue(rendered > 100, rendered + " rendered");
  }
}
