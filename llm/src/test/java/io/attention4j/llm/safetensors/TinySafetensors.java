package io.attention4j.llm.safetensors;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Small files for tests. */
final class TinySafetensors {
  static final String HEADER =
      "{\"__metadata__\":{\"format\":\"pt\"},"
          + "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
          + "\"b\":{\"shape\":[4],\"dtype\":\"BF16\",\"data_offsets\":[24,32]},"
          + "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[1,1,3],\"data_offsets\":[32,35]},"
          + "\"none\":{\"dtype\":\"F16\",\"shape\":[0,4],\"data_offsets\":[35,35]},"
          + "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[35,43]}}  ";
  static final int DATA_BYTES = 43;

  private TinySafetensors() {}

  /** Header length, header, then {@code dataBytes} bytes that count 0, 1, 2, ... */
  static byte[] bytes(String header, int dataBytes) {
    byte[] utf8 = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer buffer =
        ByteBuffer.allocate(8 + utf8.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putLong(utf8.length).put(utf8);
    for (int i = 0; i < dataBytes; i++) {
      buffer.put((byte) i);
    }
    return buffer.array();
  }

  static Path write(Path file, String header, int dataBytes) throws IOException {
    return Files.write(file, bytes(header, dataBytes));
  }

  /** An entry of a header: an F32 vector. */
  static String vector(String name, int length, int begin) {
    return "\""
        + name
        + "\":{\"dtype\":\"F32\",\"shape\":["
        + length
        + "],\"data_offsets\":["
        + begin
        + ","
        + (begin + 4 * length)
        + "]}";
  }
}
