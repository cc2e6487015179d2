package io.attention4j.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** UTF-8 text from a file or standard input; bytes that are no UTF-8 are an error, not a guess. */
final class TextInput {
  private static final String STANDARD_INPUT = "-";

  private TextInput() {}

  /** The text of a file, or of standard input for {@code -}. */
  static String read(Path file) throws IOException {
    if (file.toString().equals(STANDARD_INPUT)) {
      return readStandardInput();
    }
    if (Files.isDirectory(file)) {
      throw new BadDataException(file + ": is a folder; name a UTF-8 text file");
    }
    return decode(Files.readAllBytes(file), file.toString());
  }

  static String readStandardInput() throws IOException {
    return decode(System.in.readAllBytes(), "standard input");
  }

  private static String decode(byte[] bytes, String name) {
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length); // UTF-8 never has fewer bytes than chars
    CoderResult result = decoder.decode(in, out, true);
    if (result.isError()) {
      throw new BadDataException(
          name
              + ": the byte at offset "
              + in.position()
              + " is no UTF-8; convert the text to UTF-8");
    }
    return out.flip().toString();
  }
}
