import com.google.googlejavaformat.java.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Checks or repairs the format of every Java file below a folder: {@code Format.java check|apply
 * FOLDER REPORT}, with the google-java-format jar on the class path. What is wrong goes to stderr
 * and to the file REPORT, which exists afterwards only if something is wrong.
 *
 * <p>It runs as a source file in a JDK of its own, since the formatter parses with the compiler of
 * the JVM it runs in, and Maven's JVM may be older than our sources.
 */
public final class Format {
  private Format() {}

  /** Takes check or apply, the folder and the report. */
  public static void main(String[] args) throws Exception {
    boolean apply = args[0].equals("apply");
    Path root = Path.of(args[1]);
    Path report = Path.of(args[2]);
    List<String> arguments = new ArrayList<>();
    arguments.addAll(apply ? List.of("--replace") : List.of("--dry-run", "--set-exit-if-changed"));
    arguments.addAll(javaFiles(root));

    StringWriter names = new StringWriter();
    StringWriter errors = new StringWriter();
    int status =
        new Main(new PrintWriter(names, true), new PrintWriter(errors, true), System.in)
            .format(arguments.toArray(String[]::new));
    Files.deleteIfExists(report);
    if (status == 0) {
      return;
    }
    StringBuilder message = new StringBuilder(errors.toString());
    if (message.isEmpty()) {
      message.append("These files are not formatted:\n");
      for (String name : names.toString().lines().toList()) {
        message.append("  ").append(root.relativize(Path.of(name))).append('\n');
      }
      message.append("To repair them: ./mvnw -q -pl . verify -Dformat=apply\n");
    }
    System.err.print(message);
    Files.writeString(report, message);
  }

  private static List<String> javaFiles(Path root) throws IOException {
    try (var paths = Files.walk(root)) {
      return paths
          .filter(path -> path.toString().endsWith(".java"))
          .filter(path -> !root.relativize(path).toString().matches("(.*[/\\\\])?target[/\\\\].*"))
          .map(Path::toString)
          .sorted()
          .toList();
    }
  }
}
