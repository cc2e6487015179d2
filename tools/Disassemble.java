import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Turns the machine code that a JVM without hsdis prints ({@code -XX:CompileCommand=print,...})
 * into instructions: {@code java tools/Disassemble.java < output}. Needs objdump (Debian:
 * binutils). Everything but the code of methods passes through; the JVM's remarks stay with their
 * addresses.
 */
public final class Disassemble {
  private final Path file;
  private final ByteBuffer code = ByteBuffer.allocate(1 << 24);
  private final Map<Long, List<String>> remarks = new TreeMap<>();
  private long start = -1;

  private Disassemble(Path file) {
    this.file = file;
  }

  /** Takes no arguments. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Path file = Files.createTempFile("code", ".bin");
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      Disassemble section = null;
      for (String line; (line = in.readLine()) != null; ) {
        if (line.equals("[MachCode]")) {
          section = new Disassemble(file);
        } else if (line.equals("[/MachCode]") && section != null) {
          section.print();
          section = null;
        } else if (section == null) {
          System.out.println(line);
        } else {
          section.take(line);
        }
      }
    } finally {
      Files.delete(file);
    }
  }

  /** Lines are {@code 0xADDRESS: hex | hex ...}, {@code 0xADDRESS: ; remark}, or remarks alone. */
  private void take(String line) {
    String text = line.strip();
    int colon = text.indexOf(": ");
    if (!text.startsWith("0x") || colon < 0) {
      if (!text.isEmpty()) {
        remark(start + code.position(), text);
      }
      return;
    }
    long address = Long.parseUnsignedLong(text.substring(2, colon), 16);
    if (start < 0) {
      start = address;
    }
    String rest = text.substring(colon + 2).strip();
    if (!rest.matches("[0-9a-f| ]+")) { // a remark, or words of another thread in between
      remark(address, rest);
    } else {
      code.position((int) (address - start));
      code.put(HexFormat.of().parseHex(rest.replaceAll("[| ]", "")));
    }
  }

  private void remark(long address, String text) {
    remarks.computeIfAbsent(address, _ -> new ArrayList<>()).add(text);
  }

  private void print() throws IOException, InterruptedException {
    byte[] bytes = new byte[code.position()];
    code.get(0, bytes);
    Files.write(file, bytes);
    String arch = System.getProperty("os.arch");
    Process objdump =
        new ProcessBuilder(
                "objdump",
                "-D",
                "-b",
                "binary",
                "-m",
                arch.equals("amd64") ? "i386:x86-64" : arch,
                "--no-show-raw-insn",
                "--adjust-vma=0x" + Long.toHexString(start),
                file.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader lines = objdump.inputReader(StandardCharsets.UTF_8)) {
      var pending = new ArrayList<>(remarks.entrySet());
      for (String line; (line = lines.readLine()) != null; ) {
        String text = line.strip();
        int colon = text.indexOf(':');
        if (colon < 0 || !text.substring(0, colon).matches("[0-9a-f]{6,}")) {
          continue; // objdump's headings
        }
        long address = Long.parseUnsignedLong(text.substring(0, colon), 16);
        while (!pending.isEmpty() && pending.getFirst().getKey() <= address) {
          pending.removeFirst().getValue().forEach(remark -> System.out.println("    " + remark));
        }
        System.out.printf(Locale.ROOT, "  0x%x  %s%n", address, text.substring(colon + 1).strip());
      }
    }
    if (objdump.waitFor() != 0) {
      throw new IOException("objdump failed with status " + objdump.exitValue());
    }
  }
}
