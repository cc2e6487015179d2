package smoke;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/** Uses Attention4j as an application would; a failure ends with a non-zero status. */
public final class Main {
  private Main() {}

  /**
   * Checks that we run where the build says, then uses the library.
   *
   * @param args "class path" or "module path": where the build put us
   */
  public static void main(String[] args) {
    boolean onModulePath = Main.class.getModule().isNamed();
    if (onModulePath != args[0].equals("module path")) {
      throw new AssertionError("not on the " + args[0]);
    }
    useTensors();
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
}
