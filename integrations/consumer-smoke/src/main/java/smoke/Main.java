package smoke;

import io.attention4j.demo.DemoModel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.GenerationRequest;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Piece;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.stream.Collectors;

/** Uses Attention4j as an application would; a failure ends with a non-zero status. */
public final class Main {
  private Main() {}

  /**
   * Checks that we run where the build says, then uses the library.
   *
   * @param args "class path" or "module path": where the build put us
   * @throws IOException if the model cannot be read
   */
  public static void main(String[] args) throws IOException {
    boolean onModulePath = Main.class.getModule().isNamed();
    if (onModulePath != args[0].equals("module path")) {
      throw new AssertionError("not on the " + args[0]);
    }
    useTensors();
    decode();
    System.out.println("consumer-smoke works on the " + args[0]);
  }

  private static void useTensors() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor tensor = Tensor.allocate(arena, DType.F32, 2, 3);
      if (tensor.segment().byteSize() != 2 * 3 * Float.BYTES) {
        throw new AssertionError("2x3 floats take " + tensor.segment().byteSize() + " bytes");
      }
    }
  }

  private static void decode() throws IOException {
    try (LanguageModel model = LanguageModel.load(DemoModel.file());
        var session = model.newSession()) {
      GenerationRequest request =
          GenerationRequest.builder().prompt(DemoModel.PROMPT).maxTokens(8).build();
      String text =
          session.generate(request).stream().map(Piece::text).collect(Collectors.joining());
      if (text.isBlank()) {
        throw new AssertionError("the model wrote nothing");
      }
    }
  }
}
