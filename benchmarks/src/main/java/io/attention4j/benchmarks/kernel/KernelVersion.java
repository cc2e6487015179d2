package io.attention4j.benchmarks.kernel;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * CPU kernels from a class path of their own, so that two versions can be compared in one JVM. Only
 * {@code io.attention4j.kernels.cpu} comes from there; what the kernels build on (tensors, the SPI,
 * worker pools) is shared.
 */
public final class KernelVersion implements AutoCloseable {
  private static final String PACKAGE = "io.attention4j.kernels.cpu.";

  private final URLClassLoader loader;
  private final KernelSelector kernels;

  /**
   * Opens the kernels.
   *
   * @param classPath folders and jars as {@code java -cp} takes them; nothing is looked for
   *     elsewhere
   * @param id of the provider, as "cpu.simd"
   * @throws IllegalArgumentException if the class path has no CPU kernels, or the id is another's
   */
  public KernelVersion(String classPath, String id, DeviceOptions options) throws IOException {
    loader = new PackageLoader(urls(classPath), KernelVersion.class.getClassLoader());
    String service = PACKAGE.replace('.', '/') + "SimdProvider.class";
    if (loader.findResource(service) == null) {
      loader.close();
      throw new IllegalArgumentException(
          "class path "
              + classPath
              + " has no CPU kernels; give the target/classes of kernels-cpu");
    }
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    KernelSelector opened = null;
    try {
      thread.setContextClassLoader(loader); // where ServiceLoader looks
      opened = KernelSelector.open(id, options);
      if (opened.device().getClass().getClassLoader() != loader) {
        throw new IllegalArgumentException(
            "kernels '"
                + id
                + "' do not come from "
                + classPath
                + "; choose cpu.simd or cpu.scalar");
      }
    } finally {
      thread.setContextClassLoader(before);
      if (opened == null) {
        loader.close();
      }
    }
    kernels = opened;
  }

  private static URL[] urls(String classPath) throws MalformedURLException {
    String[] parts = classPath.split(Pattern.quote(File.pathSeparator));
    URL[] urls = new URL[parts.length];
    for (int i = 0; i < parts.length; i++) {
      urls[i] = Path.of(parts[i]).toUri().toURL();
    }
    return urls;
  }

  /** The kernels. */
  public KernelSelector kernels() {
    return kernels;
  }

  @Override
  public void close() throws IOException {
    kernels.close();
    loader.close();
  }

  /** Loads the package itself and everything else from its parent. */
  private static final class PackageLoader extends URLClassLoader {
    static {
      registerAsParallelCapable();
    }

    PackageLoader(URL[] urls, ClassLoader parent) {
      super(urls, parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith(PACKAGE)) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> loaded = findLoadedClass(name);
        return loaded != null ? loaded : findClass(name);
      }
    }
  }
}
