package io.attention4j.llm.decoder;

import java.util.List;

/** Closes several owners, the last opened first, and goes on when one fails. */
public final class Closing {
  private Closing() {}

  /** Closes all; throws the first failure at the end, with the others suppressed in it. */
  public static void all(List<? extends AutoCloseable> opened) {
    RuntimeException failure = null;
    for (AutoCloseable resource : opened.reversed()) {
      try {
        resource.close();
      } catch (Exception e) {
        if (failure == null) {
          failure = new IllegalStateException("cannot free a resource of the model: " + e, e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
