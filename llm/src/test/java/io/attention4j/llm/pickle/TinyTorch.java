package io.attention4j.llm.pickle;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes small archives as torch.save does, instruction by instruction. */
final class TinyTorch {
  private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();
  private final Map<String, byte[]> entries = new LinkedHashMap<>();

  /** Starts with the protocol that torch writes. */
  TinyTorch() {
    op(0x80, 2);
  }

  TinyTorch op(int... bytes) {
    for (int b : bytes) {
      pickle.write(b);
    }
    return this;
  }

  TinyTorch text(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    op('X', utf8.length & 0xff, utf8.length >> 8 & 0xff, utf8.length >> 16, 0);
    pickle.writeBytes(utf8);
    return this;
  }

  TinyTorch number(long value) {
    op('J');
    pickle.writeBytes(
        ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt((int) value).array());
    return this;
  }

  TinyTorch global(String module, String name) {
    op('c');
    pickle.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
    return this;
  }

  TinyTorch tuple(long... values) {
    op('(');
    for (long value : values) {
      number(value);
    }
    return op('t');
  }

  /** A tensor as _rebuild_tensor_v2 gets it. */
  TinyTorch tensor(
      String type, String key, long elements, long offset, long[] size, long[] stride) {
    global("torch._utils", "_rebuild_tensor_v2").op('(', '(');
    text("storage").global("torch", type).text(key).text("cpu").number(elements);
    return op('t', 'Q')
        .number(offset)
        .tuple(size)
        .tuple(stride)
        .op(0x89)
        .global("collections", "OrderedDict")
        .op(')', 'R', 't', 'R');
  }

  /** Bytes of a storage. */
  TinyTorch data(String key, float... values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putFloat(value);
    }
    entries.put("archive/data/" + key, bytes.array());
    return this;
  }

  TinyTorch entry(String name, byte[] bytes) {
    entries.put(name, bytes);
    return this;
  }

  byte[] bytes() throws IOException {
    return bytes(ZipEntry.STORED);
  }

  byte[] bytes(int method) throws IOException {
    op('.');
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      put(zip, "archive/data.pkl", pickle.toByteArray(), method);
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        put(zip, entry.getKey(), entry.getValue(), method);
      }
    }
    return out.toByteArray();
  }

  private static void put(ZipOutputStream zip, String name, byte[] bytes, int method)
      throws IOException {
    ZipEntry entry = new ZipEntry(name);
    entry.setMethod(method);
    entry.setTime(0);
    if (method == ZipEntry.STORED) {
      CRC32 crc = new CRC32();
      crc.update(bytes);
      entry.setCrc(crc.getValue());
      entry.setSize(bytes.length);
    }
    zip.putNextEntry(entry);
    zip.write(bytes);
    zip.closeEntry();
  }

  Path write(Path file) throws IOException {
    return Files.write(file, bytes());
  }

  /** A state_dict of a matrix, its transpose, which shares its storage, and a parameter. */
  static TinyTorch stateDict() {
    TinyTorch torch = new TinyTorch();
    torch.global("collections", "OrderedDict").op(')', 'R', 'q', 0, '(');
    torch.text("layers.0.weight");
    torch.tensor("FloatStorage", "0", 6, 0, new long[] {2, 3}, new long[] {3, 1});
    torch.text("transposed");
    torch.tensor("FloatStorage", "0", 6, 0, new long[] {3, 2}, new long[] {1, 3});
    torch.text("bias").global("torch._utils", "_rebuild_parameter").op('(');
    torch.tensor("FloatStorage", "1", 4, 1, new long[] {2}, new long[] {1});
    torch.op(0x88).global("collections", "OrderedDict").op(')', 'R', 't', 'R');
    torch.text("epoch").number(7);
    torch.op('u', '}');
    torch.text("_metadata").op('}', 's', 'b');
    return torch.data("0", 1, 2, 3, 4, 5, 6).data("1", 9, 8, 7, 6);
  }
}
