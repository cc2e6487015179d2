package io.attention4j.cli;

import io.attention4j.llm.DeviceFit;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.LoadOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** How much of a model a device takes, in a line. */
final class LayerFit {
  private LayerFit() {}

  static String describe(Path model, String kernels) throws IOException {
    LoadOptions options = LoadOptions.builder().kernels(kernels).build();
    Optional<DeviceFit> fit = LanguageModel.deviceFit(model, options);
    if (fit.isEmpty()) {
      return kernels + " works on host memory, where all layers are";
    }
    DeviceFit of = fit.get();
    return of.fitting()
        + " of "
        + of.layers()
        + " layers fit "
        + of.device()
        + ": all take "
        + Units.bytes(of.neededBytes())
        + " with the output matrix and the KV cache of a session, and "
        + Units.bytes(of.freeBytes())
        + " are free"
        + (of.fitting() < of.layers()
            ? "; --device-layers auto puts those on the device and the others on the CPU"
            : "");
  }
}
