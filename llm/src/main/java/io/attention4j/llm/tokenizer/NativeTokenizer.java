package io.attention4j.llm.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A tokenizer.json in the native library. Any number of threads may encode at once; closing waits
 * for them.
 */
final class NativeTokenizer implements AutoCloseable {
  private static final TokenizersLibrary LIBRARY = TokenizersLibrary.LIB;

  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  /**
   * Builds the native tokenizer.
   *
   * @param json a whole tokenizer.json; its truncation and padding are switched off
   * @param source the file for error messages
   * @throws TokenizerException if the library does not accept the text or cannot run here
   */
  NativeTokenizer(String json, String source) {
    NativeLibrary.ensureLoaded();
    try {
      handle = LIBRARY.createTokenizerFromString(json);
    } catch (RuntimeException e) {
      // The binding throws plain RuntimeExceptions with the message of the Rust library.
      throw new TokenizerException(
          source
              + ": the tokenizer library refuses this vocabulary ("
              + e.getMessage()
              + "); download the model again or use another file of it.",
          e);
    }
    LIBRARY.disableTruncation(handle);
    LIBRARY.disablePadding(handle);
  }

  /**
   * Encodes a text.
   *
   * @param text any string; a surrogate without its partner counts as U+FFFD
   * @param postProcess whether the file's post-processor adds its special tokens
   * @throws IllegalStateException after close
   */
  int[] encode(String text, boolean postProcess) {
    String whole = replaceLoneSurrogates(text);
    lock.readLock().lock();
    try {
      if (handle == 0) {
        throw new IllegalStateException(
            "This tokenizer is closed; encode before closing it or its model.");
      }
      long encoding = LIBRARY.encode(handle, whole, postProcess);
      try {
        return narrow(LIBRARY.getTokenIds(encoding));
      } finally {
        LIBRARY.deleteEncoding(encoding);
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        LIBRARY.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  private static int[] narrow(long[] ids) {
    int[] out = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      out[i] = Math.toIntExact(ids[i]);
    }
    return out;
  }

  /** JNI would pass a lone surrogate as bytes that are not UTF-8, and spoil the whole text. */
  private static String replaceLoneSurrogates(String text) {
    StringBuilder fixed = null;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      if (fixed == null) {
        fixed = new StringBuilder(text);
      }
      fixed.setCharAt(i, '\uFFFD');
    }
    return fixed == null ? text : fixed.toString();
  }
}
