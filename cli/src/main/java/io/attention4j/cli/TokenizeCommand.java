package io.attention4j.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code attention4j tokenize TEXT}: token ids and their texts. */
@Command(
    name = "tokenize",
    description = "Prints the tokens of a text, one per line: id and piece.")
final class TokenizeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelOptions model;

  @Parameters(
      arity = "0..1",
      paramLabel = "TEXT",
      description = "The text. Default: standard input.")
  private String text;

  @Option(names = "--special", description = "Add BOS and EOS as the model file says.")
  private boolean special;

  @Option(names = "--ids", description = "Print the ids alone, as one JSON array.")
  private boolean ids;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    String input = text != null ? text : TextInput.readStandardInput();
    try (Tokenizer tokenizer = LanguageModel.openTokenizer(model.path())) {
      int[] tokens = special ? tokenizer.encodeWithSpecialTokens(input) : tokenizer.encode(input);
      if (ids) {
        out.println(new ObjectMapper().writeValueAsString(tokens));
      } else {
        for (int token : tokens) {
          out.println(token + "\t" + tokenizer.piece(token).replace("\n", "\\n"));
        }
      }
    }
    out.flush();
    return 0;
  }
}
