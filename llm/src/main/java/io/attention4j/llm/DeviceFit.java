package io.attention4j.llm;

/**
 * How much of a model a device with memory of its own has room for, with one session of a full
 * context. The layers that fit are the last ones, together with the output matrix.
 *
 * @param device provider id and what it runs on
 * @param layers layers of the model
 * @param fitting layers that fit; 0 also where the output matrix alone does not
 * @param neededBytes what all layers and the output take
 * @param freeBytes what the device has left
 */
public record DeviceFit(String device, int layers, int fitting, long neededBytes, long freeBytes) {}
