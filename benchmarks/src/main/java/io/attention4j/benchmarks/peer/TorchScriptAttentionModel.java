package io.attention4j.benchmarks.peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * TorchScript archives of a module with one call of {@code scaled_dot_product_attention} on q, k
 * and v of [batch, heads, length, headDim]: an uncompressed zip with the module's source, its
 * (empty) state as a pickle, and the version of the format.
 */
public final class TorchScriptAttentionModel {
  private static final String MODULE = "Attention";
  private static final String VERSION = "3\n";

  // Opcodes of Python's pickle protocol 2.
  private static final String PROTOCOL_2 = "\u0080\u0002";
  private static final char GLOBAL = 'c';
  private static final char MEMOIZE = 'q';
  private static final char EMPTY_TUPLE = ')';
  private static final char NEW_OBJECT = '\u0081';
  private static final char EMPTY_DICT = '}';
  private static final char MARK = '(';
  private static final char UNICODE = 'X';
  private static final char NEW_FALSE = '\u0089';
  private static final char NONE = 'N';
  private static final char SET_ITEMS = 'u';
  private static final char BUILD = 'b';
  private static final char STOP = '.';

  private TorchScriptAttentionModel() {}

  /** Bytes of an archive. */
  public static byte[] bytes(boolean causal) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.setMethod(ZipOutputStream.STORED);
      add(zip, "attention/data.pkl", state());
      add(zip, "attention/code/__torch__.py", source(causal).getBytes(StandardCharsets.US_ASCII));
      add(zip, "attention/constants.pkl", latin(PROTOCOL_2 + EMPTY_TUPLE + STOP));
      add(zip, "attention/version", latin(VERSION));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
    return bytes.toByteArray();
  }

  private static String source(boolean causal) {
    return """
    class %s(Module):
      __parameters__ = []
      __buffers__ = []
      training : bool
      _is_full_backward_hook : Optional[bool]
      def forward(self: __torch__.%s,
        q: Tensor,
        k: Tensor,
        v: Tensor) -> Tensor:
        return torch.scaled_dot_product_attention(q, k, v, None, 0., %s)
    """
        .formatted(MODULE, MODULE, causal ? "True" : "False");
  }

  /** The module object with its two attributes. */
  private static byte[] state() {
    return latin(
        PROTOCOL_2
            + GLOBAL
            + "__torch__\n"
            + MODULE
            + "\n"
            + MEMOIZE
            + "\u0000"
            + EMPTY_TUPLE
            + NEW_OBJECT
            + EMPTY_DICT
            + MEMOIZE
            + "\u0001"
            + MARK
            + unicode("training")
            + NEW_FALSE
            + unicode("_is_full_backward_hook")
            + NONE
            + SET_ITEMS
            + BUILD
            + STOP);
  }

  private static String unicode(String text) {
    byte[] length =
        ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(text.length()).array();
    return UNICODE + new String(length, StandardCharsets.ISO_8859_1) + text;
  }

  private static byte[] latin(String bytes) {
    return bytes.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static void add(ZipOutputStream zip, String name, byte[] data) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(data);
    ZipEntry entry = new ZipEntry(name);
    entry.setTime(0);
    entry.setSize(data.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(data);
    zip.closeEntry();
  }
}
