package io.attention4j.engine.operator;

import io.attention4j.engine.tensor.Tensor;
import java.util.Map;

/**
 * Files of weights that an option names, such as the gate of a sparse attention: trained apart from
 * the model and kept beside it.
 */
public interface WeightFiles {
  /** Where there is nothing that reads files. */
  WeightFiles NONE =
      new WeightFiles() {
        @Override
        public WeightSource open(String path) {
          throw new IllegalArgumentException(
              "weights are asked for from "
                  + path
                  + ", but no reader of files was given; load the model with attention4j-llm");
        }

        @Override
        public void update(String path, Map<String, Tensor> tensors) {
          throw new IllegalArgumentException(
              "weights are to be written to "
                  + path
                  + ", but no writer of files was given; load the model with attention4j-llm");
        }
      };

  /**
   * The weights of a safetensors file, by their whole names; a second call for the same path gives
   * the same. They live as long as the model.
   *
   * @throws RuntimeException with one sentence if the file is missing or bad
   */
  WeightSource open(String path);

  /**
   * Writes host F32 tensors to a safetensors file, which keeps its other tensors if it exists.
   *
   * @throws RuntimeException with one sentence if the file cannot be read or written
   */
  void update(String path, Map<String, Tensor> tensors);
}
