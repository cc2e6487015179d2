package io.attention4j.llm.decoder;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.loading.WeightLoader;

/**
 * What consecutive layers on one device share: kernels, the tensors of a step, the angles of its
 * rows.
 */
record Stage(
    KernelSelector kernels, WeightLoader weights, Activations activations, RopeAngles[] ropes) {
  /**
   * A stage.
   *
   * @param outputs whether logits are computed here
   */
  static Stage open(
      ModelConfig config,
      Decoder.Options options,
      KernelSelector kernels,
      WeightLoader weights,
      Device.TensorArena arena,
      boolean outputs) {
    RopeAngles[] ropes = new RopeAngles[config.attention().ropes().size()];
    for (int i = 0; i < ropes.length; i++) {
      ropes[i] =
          new RopeAngles(
              config.attention().ropes().get(i),
              options.contextTokens(),
              options.maxRows(),
              kernels,
              arena);
    }
    Activations activations = new Activations(config, options.maxRows(), outputs, arena);
    return new Stage(kernels, weights, activations, ropes);
  }

  void fillAngles(int[] positions, int rows) {
    for (RopeAngles rope : ropes) {
      rope.fill(positions, rows);
    }
  }
}
