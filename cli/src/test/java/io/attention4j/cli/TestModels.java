package io.attention4j.cli;

import io.attention4j.demo.DemoModel;
import io.attention4j.llm.gguf.GgufFile;
import io.attention4j.llm.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Path;

/** Model files made from the demo model. */
final class TestModels {
  /** Names every role and ends each message with a token that the vocabulary has. */
  static final String TEMPLATE =
      "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}<|sep|>{% endfor %}"
          + "{% if add_generation_prompt %}assistant:{% endif %}";

  private TestModels() {}

  /** The demo model with a chat template. */
  static Path withTemplate(Path folder, String template) throws IOException {
    Path target = folder.resolve("chat.gguf");
    try (GgufFile demo = GgufFile.open(DemoModel.file())) {
      GgufWriter writer = new GgufWriter();
      demo.metadata().keys().stream()
          .filter(key -> !key.equals("general.alignment"))
          .forEach(key -> writer.copy(demo.metadata(), key));
      writer.string("tokenizer.chat_template", template);
      demo.names().forEach(name -> writer.tensor(name, demo.tensor(name)));
      writer.write(target);
    }
    return target;
  }
}
