package io.attention4j.llm.tokenizer;

import static io.attention4j.llm.format.ModelFormatException.quote;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.attention4j.llm.format.ModelFormatException;
import java.nio.file.Path;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A tokenizer.json in the native library. Any number of threads may encode at once; closing waits
 * for them.
 */
final class NativeTokenizer implements Encoder {
  private static final TokenizersLibrary LIBRARY = TokenizersLibrary.LIB;

  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private final Path file;
  private long handle;

  /**
   * Builds the native tokenizer.
   *
   * @param json a tokenizer.json that asks for neither truncation nor padding
   * @param file the file for error messages
   * @throws ModelFormatException if the library does not accept the text
   * @throws TokenizerException if the library cannot run here
   */
  NativeTokenizer(String json, Path file) {
    this.file = file;
    if (!Surrogates.replaceLone(json).equals(json)) {
      throw new ModelFormatException(
          file,
          "the vocabulary holds half of a surrogate pair, which is no character",
          "download the file again");
    }
    NativeLibrary.ensureLoaded();
    try {
      handle = LIBRARY.createTokenizerFromString(json);
    } catch (RuntimeException e) {
      // The binding throws plain RuntimeExceptions with the message of the Rust library.
      throw new ModelFormatException(
          file,
          "the tokenizer library refuses this vocabulary and says " + quote(e.getMessage()),
          "download the model again or use another file of it",
          e);
    }
  }

  /**
   * Encodes a text.
   *
   * @param text any string; a surrogate without its partner counts as U+FFFD
   * @throws IllegalStateException after close
   * @throws TokenizerException if the vocabulary has no ids for this text
   */
  @Override
  public int[] encode(String text) {
    // JNI would pass a lone surrogate as bytes that are not UTF-8, and spoil the whole text.
    String whole = Surrogates.replaceLone(text);
    lock.readLock().lock();
    try {
      if (handle == 0) {
        throw new IllegalStateException(
            "This tokenizer is closed; encode before closing it or its model.");
      }
      long encoding = start(whole);
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

  private long start(String text) {
    try {
      return LIBRARY.encode(handle, text, false);
    } catch (RuntimeException e) {
      throw new TokenizerException(
          file + ": the vocabulary cannot express this text (" + quote(e.getMessage()) + ").", e);
    }
  }

  private static int[] narrow(long[] ids) {
    int[] out = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      out[i] = Math.toIntExact(ids[i]);
    }
    return out;
  }
}
