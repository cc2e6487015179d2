package io.attention4j.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every template of ../shared against the hash of what jinja2 rendered from it. */
class ConversationTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Clock NOW =
      Clock.fixed(Instant.parse("2025-07-04T09:05:06Z"), ZoneOffset.UTC);

  record Conversation(
      String name,
      List<Map<String, Object>> messages,
      String tools,
      boolean add_generation_prompt,
      Map<String, Object> variables) {}

  private static <T> T resource(String name, TypeReference<T> type) throws IOException {
    try (InputStream in = ConversationTest.class.getResourceAsStream(name)) {
      return JSON.readValue(in, type);
    }
  }

  @TestFactory
  Stream<DynamicTest> templatesRenderAsInJinja2() throws IOException {
    Path folder =
        Path.of(System.getProperty("attention4j.shared", "../shared"), "data", "chat-templates");
    if (!Files.isDirectory(folder)) {
      System.err.println("SKIPPED: chat templates are not compared, " + folder + " is absent");
    }
    assumeTrue(Files.isDirectory(folder), folder + " is absent");
    List<Conversation> list =
        resource("conversations.json", new TypeReference<List<Conversation>>() {});
    Map<String, Conversation> conversations = new LinkedHashMap<>();
    list.forEach(conversation -> conversations.put(conversation.name(), conversation));
    Map<String, List<Map<String, Object>>> tools =
        resource("tools.json", new TypeReference<Map<String, List<Map<String, Object>>>>() {});
    List<String> rows;
    try (InputStream in = getClass().getResourceAsStream("expected-conversations.tsv")) {
      rows = new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
    assertTrue(rows.size() >= 13 * 20, rows.size() + " expected renderings");
    return rows.stream()
        .map(row -> row.split("\t"))
        .map(
            row ->
                DynamicTest.dynamicTest(
                    row[0] + " " + row[1],
                    () -> {
                      String source = Files.readString(folder.resolve(row[0] + ".jinja"));
                      compare(source, conversations.get(row[1]), tools, row[2]);
                    }));
  }

  private static void compare(
      String source,
      Conversation conversation,
      Map<String, List<Map<String, Object>>> tools,
      String expected)
      throws GeneralSecurityException {
    RenderOptions options =
        new RenderOptions(
            conversation.add_generation_prompt(),
            conversation.tools() == null ? List.of() : tools.get(conversation.tools()),
            NOW,
            conversation.variables() == null ? Map.of() : conversation.variables());
    ChatTemplate template =
        ChatTemplate.of(source, Map.of("bos_token", "<bos>", "eos_token", "<eos>"));
    String text;
    try {
      text = template.renderMaps(conversation.messages(), options);
    } catch (ChatTemplateException e) {
      assertTrue(expected.startsWith("error: "), e.getMessage());
      assertTrue(
          e.getMessage().matches("The chat template failed at line \\d+: .+\\."), e.getMessage());
      if (expected.startsWith("error: TemplateError: ")) {
        String message = expected.substring("error: TemplateError: ".length());
        assertTrue(e.getMessage().contains(message), e.getMessage());
      }
      return;
    }
    byte[] hash =
        MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    assertEquals(expected, HexFormat.of().formatHex(hash), () -> "rendered:\n" + text);
  }
}
