package io.attention4j.llm.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Properties;

/**
 * Loads the native part of DJL's tokenizers from the jar.
 *
 * <p>DJL's own loader probes for CUDA through JNA, may download another build of the library, and
 * reports use to its makers unless a JVM-wide property forbids it. This one only unpacks the file
 * that the jar holds, into the folder that DJL would use, and loads it: no network, no property, no
 * log line.
 */
final class NativeLibrary {
  private static final String PLATFORMS = "linux-x86_64, linux-aarch64, osx-aarch64 and win-x86_64";

  private static boolean loaded;

  private NativeLibrary() {}

  /**
   * Loads the library once per JVM.
   *
   * @throws TokenizerException if this platform has none, or it cannot be unpacked or loaded
   */
  static synchronized void ensureLoaded() {
    if (loaded) {
      return;
    }
    ClassLoader binding = TokenizersLibrary.class.getClassLoader();
    if (binding != NativeLibrary.class.getClassLoader()) {
      // JNI finds a native method only in libraries that its own class loader has loaded.
      throw new TokenizerException(
          "The tokenizer library belongs to another class loader ("
              + binding
              + "); put attention4j-llm and ai.djl.huggingface:tokenizers on the same class path.");
    }
    String platform = platform(System.getProperty("os.name"), System.getProperty("os.arch"));
    load(unpack(platform, cacheFolder()));
    loaded = true;
  }

  /** DJL's name of a platform, such as linux-x86_64. */
  static String platform(String osName, String osArch) {
    String os = osName.toLowerCase(Locale.ROOT);
    String family = os.startsWith("win") ? "win" : os.startsWith("mac") ? "osx" : os;
    return family + "-" + (osArch.equals("amd64") ? "x86_64" : osArch);
  }

  /** The folder under which unpacked libraries are kept, by DJL's rules. */
  private static Path cacheFolder() {
    for (String name : List.of("ENGINE_CACHE_DIR", "DJL_CACHE_DIR")) {
      String value = System.getenv(name);
      if (value == null) {
        value = System.getProperty(name);
      }
      if (value != null && !value.isEmpty()) {
        return Path.of(value);
      }
    }
    Path home = Path.of(System.getProperty("user.home"));
    if (Files.isWritable(home)) {
      return home.resolve(".djl.ai");
    }
    try {
      // A name that others can guess would let them plant a library there.
      return Files.createTempDirectory("attention4j");
    } catch (IOException e) {
      throw unwritable(Path.of(System.getProperty("java.io.tmpdir")), e);
    }
  }

  /**
   * Unpacks the library of a platform unless it is there already.
   *
   * @return the files to load, in this order
   * @throws TokenizerException if the platform is unknown or the folder cannot be written
   */
  static List<Path> unpack(String platform, Path cache) {
    List<String> names =
        platform.startsWith("win")
            ? List.of(
                "libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll", "tokenizers.dll")
            : List.of(platform.startsWith("osx") ? "libtokenizers.dylib" : "libtokenizers.so");
    String inJar = "/native/lib/" + platform + "/cpu/";
    if (TokenizersLibrary.class.getResource(inJar + names.getLast()) == null) {
      throw new TokenizerException(
          "The tokenizer library has no native part for "
              + platform
              + "; it runs on "
              + PLATFORMS
              + ".");
    }
    Path folder = cache.resolve("tokenizers").resolve(version() + "-cpu-" + platform);
    try {
      for (String name : names) {
        copy(TokenizersLibrary.class.getResource(inJar + name), folder.resolve(name));
      }
    } catch (IOException e) {
      throw unwritable(folder, e);
    }
    return names.stream().map(folder::resolve).map(Path::toAbsolutePath).toList();
  }

  private static TokenizerException unwritable(Path folder, IOException cause) {
    return new TokenizerException(
        "Cannot unpack the native tokenizer library into "
            + folder
            + " ("
            + cause
            + "); set DJL_CACHE_DIR to a folder that can be written.",
        cause);
  }

  private static String version() {
    Properties properties = new Properties();
    try (InputStream in =
        TokenizersLibrary.class.getResourceAsStream("/native/lib/tokenizers.properties")) {
      if (in != null) {
        properties.load(in);
      }
    } catch (IOException e) {
      throw new TokenizerException("Cannot read the tokenizer library's jar: " + e + ".", e);
    }
    return properties.getProperty("version", "unknown");
  }

  private static void copy(URL from, Path to) throws IOException {
    URLConnection connection = from.openConnection();
    // The cache would keep the jar open, and shared with whoever else reads it.
    connection.setUseCaches(false);
    try (InputStream in = connection.getInputStream()) {
      if (Files.isRegularFile(to) && Files.size(to) == connection.getContentLengthLong()) {
        return;
      }
      Files.createDirectories(to.getParent());
      Path part = Files.createTempFile(to.getParent(), to.getFileName().toString(), ".part");
      try {
        Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
        // Another JVM may be doing the same; a rename leaves one whole file.
        Files.move(part, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(part);
      }
    }
  }

  @SuppressWarnings("restricted")
  private static void load(List<Path> files) {
    for (Path file : files) {
      try {
        System.load(file.toString());
      } catch (UnsatisfiedLinkError e) {
        throw new TokenizerException(
            "Cannot load the native tokenizer library "
                + file
                + " ("
                + e.getMessage()
                + "); it needs a 64-bit JVM on "
                + PLATFORMS
                + ", glibc on Linux.",
            e);
      }
    }
  }
}
