package io.attention4j.cli;

import io.attention4j.llm.LoadOptions;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code --device-layers}. */
final class DeviceLayers implements ITypeConverter<Integer> {
  @Override
  public Integer convert(String text) {
    if (text.equals("all")) {
      return LoadOptions.ALL_LAYERS;
    }
    if (text.equals("auto")) {
      return LoadOptions.FITTING_LAYERS;
    }
    if (text.matches("\\d{1,5}")) {
      return Integer.parseInt(text);
    }
    throw new TypeConversionException("'" + text + "' is neither a number nor auto nor all");
  }
}
