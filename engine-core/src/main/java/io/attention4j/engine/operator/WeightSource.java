package io.attention4j.engine.operator;

import io.attention4j.engine.tensor.Tensor;
import java.util.Optional;

/** A model's weights by name. */
@FunctionalInterface
public interface WeightSource {
  /** The weight, a host tensor that lives as long as the model; empty if there is none. */
  Optional<Tensor> weight(String name);
}
