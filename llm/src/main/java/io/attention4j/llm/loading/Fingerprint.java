package io.attention4j.llm.loading;

import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Tells models apart without reading all of their weights. */
public final class Fingerprint {
  private static final long SAMPLE_BYTES = 64;

  private Fingerprint() {}

  /** SHA-256 of the settings and of each tensor's name, type, shape and first and last bytes. */
  public static byte[] of(ModelFiles files, ModelConfig config) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
    digest.update(config.toString().getBytes(StandardCharsets.UTF_8));
    for (String name : files.weightNames()) {
      Tensor tensor = files.tensors().tensor(name);
      digest.update((name + tensor).getBytes(StandardCharsets.UTF_8));
      MemorySegment bytes = tensor.segment().asSlice(0, tensor.byteSize());
      long sample = Math.min(SAMPLE_BYTES, bytes.byteSize());
      digest.update(bytes.asSlice(0, sample).asByteBuffer());
      digest.update(bytes.asSlice(bytes.byteSize() - sample, sample).asByteBuffer());
    }
    return digest.digest();
  }
}
