package io.attention4j.llm.gguf;

import static io.attention4j.llm.format.ModelFormatException.quote;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.format.ModelFormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Converts the weights of a GGUF file to another type.
 *
 * <p>Which tensors: those of two or more dimensions whose name ends in {@code .weight}, as
 * llama.cpp does; norms, biases, vectors, router and position weights and integer tensors are
 * copied as they are. To which type:
 *
 * <ul>
 *   <li>the output matrix ({@code output.weight}, or {@code token_embd.weight} in a model without
 *       one) to Q6_K where Q4_0 or Q4_K was asked for, as llama.cpp does: its errors reach the
 *       logits directly; every other matrix to the type asked for;
 *   <li>rows that are no multiple of a K-quant's 256 elements to Q8_0, and rows that are no
 *       multiple of 32 to F16. Where llama.cpp would choose Q5_0 or Q5_1 this keeps more bits.
 * </ul>
 *
 * <p>Encoding is GGML's reference encoding without an importance matrix. Memory use is small and
 * does not depend on the model; the work is done by the calling thread.
 */
public final class GgufQuantizer {
  private static final Pattern KEPT =
      Pattern.compile(
          ".*_norm\\.weight|.*ffn_gate_inp\\.weight|position_embd\\.weight|token_types\\.weight"
              + "|.*ssm_conv1d\\.weight|.*shortconv\\.conv\\.weight|.*attn_rel_b\\.weight");
  private static final Set<DType> SOURCES =
      Set.of(DType.F32, DType.F16, DType.BF16, DType.F64, DType.Q8_0);
  private static final Set<String> OWN_KEYS =
      Set.of("general.alignment", "general.file_type", "general.quantization_version");
  private static final int QUANTIZATION_VERSION = 2;
  // A multiple of every block size, so that whole blocks are converted at once.
  private static final int CHUNK_ELEMENTS = 1 << 16;

  private GgufQuantizer() {}

  /**
   * What was done.
   *
   * @param converted tensors whose type changed
   * @param copied tensors that kept their type
   * @param sourceBytes bytes of all tensors before
   * @param targetBytes bytes of all tensors after
   */
  public record Result(int converted, int copied, long sourceBytes, long targetBytes) {}

  /**
   * Reads {@code source}, single or split, and writes one file to {@code target}, replacing it only
   * when complete.
   *
   * @param type F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K
   * @throws IllegalArgumentException if the type cannot be written or both paths are one file
   * @throws ModelFormatException if the source is bad, already quantised below Q8_0, or a weight is
   *     not a finite number that the type can hold
   * @throws IOException if reading or writing fails; the target is then as it was
   */
  public static Result quantize(Path source, Path target, DType type) throws IOException {
    int fileType = fileType(type);
    try (GgufFile file = GgufFile.open(source)) {
      for (Path part : file.files()) {
        if (Files.exists(target) && Files.isSameFile(part, target)) {
          throw new IllegalArgumentException(
              target + " would replace the file it is made from; name another target");
        }
      }
      GgufWriter writer = new GgufWriter();
      for (String key : file.metadata().keys()) {
        if (!OWN_KEYS.contains(key) && !key.startsWith("split.")) {
          writer.copy(file.metadata(), key);
        }
      }
      writer.uint32("general.file_type", fileType);
      writer.uint32("general.quantization_version", QUANTIZATION_VERSION);
      Result result = add(file, writer, type);
      writer.write(target);
      return result;
    }
  }

  private static Result add(GgufFile file, GgufWriter writer, DType type) {
    String output = file.names().contains("output.weight") ? "output.weight" : "token_embd.weight";
    int converted = 0;
    long sourceBytes = 0;
    long targetBytes = 0;
    for (String name : file.names()) {
      Tensor tensor = file.tensor(name);
      DType chosen = typeOf(name, tensor.dtype(), tensor.shape(), type, name.equals(output));
      if (chosen == tensor.dtype()) {
        writer.tensor(name, tensor);
      } else {
        if (!SOURCES.contains(tensor.dtype())) {
          throw new ModelFormatException(
              file.files().getFirst(),
              "the tensor "
                  + quote(name)
                  + " is already "
                  + tensor.dtype()
                  + " and would lose accuracy twice",
              "start from the F32, F16, BF16 or Q8_0 file of the model");
        }
        writer.tensor(name, chosen, tensor.shape(), sink -> convert(file, name, chosen, sink));
        converted++;
      }
      sourceBytes += tensor.byteSize();
      targetBytes += chosen.bytes(tensor.shape().elements());
    }
    return new Result(converted, file.names().size() - converted, sourceBytes, targetBytes);
  }

  /** The type that a tensor gets; see the class comment. */
  static DType typeOf(String name, DType source, Shape shape, DType wanted, boolean output) {
    boolean integer =
        switch (source) {
          case I8, I16, I32, I64 -> true;
          default -> false;
        };
    if (integer || shape.rank() < 2 || !name.endsWith(".weight") || KEPT.matcher(name).matches()) {
      return source;
    }
    DType type = output && (wanted == DType.Q4_0 || wanted == DType.Q4_K) ? DType.Q6_K : wanted;
    long row = shape.extent(-1);
    if (row % type.blockSize() == 0) {
      return type;
    }
    return row % DType.Q8_0.blockSize() == 0 ? DType.Q8_0 : DType.F16;
  }

  private static void convert(GgufFile file, String name, DType type, GgufWriter.Sink sink)
      throws IOException {
    Tensor tensor = file.tensor(name);
    RowCodec decoder = RowCodec.of(tensor.dtype());
    RowCodec encoder = RowCodec.of(type);
    MemorySegment source = tensor.segment();
    float[] values = new float[CHUNK_ELEMENTS];
    long elements = tensor.shape().elements();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded = arena.allocate(type.bytes(CHUNK_ELEMENTS));
      for (long from = 0; from < elements; from += CHUNK_ELEMENTS) {
        int count = (int) Math.min(CHUNK_ELEMENTS, elements - from);
        decoder.decode(source, tensor.dtype().bytes(from), values, 0, count);
        encoder.encode(values, 0, encoded, 0, count);
        sink.accept(encoded.asSlice(0, type.bytes(count)));
      }
    } catch (IllegalArgumentException unrepresentable) {
      throw new ModelFormatException(
          file.files().getFirst(),
          "the tensor "
              + quote(name)
              + " cannot become "
              + type
              + " ("
              + unrepresentable.getMessage()
              + ")",
          "choose another type",
          unrepresentable);
    }
  }

  /** llama.cpp's number for a file that is mostly of this type ({@code llama_ftype}). */
  private static int fileType(DType type) {
    return switch (type) {
      case F32 -> 0;
      case F16 -> 1;
      case Q4_0 -> 2;
      case Q8_0 -> 7;
      case Q4_K -> 14;
      case Q6_K -> 18;
      case BF16 -> 32;
      default ->
          throw new IllegalArgumentException(
              type + " cannot be written; choose F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K");
    };
  }
}
