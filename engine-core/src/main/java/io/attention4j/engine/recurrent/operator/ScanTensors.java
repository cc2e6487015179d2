package io.attention4j.engine.recurrent.operator;

import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;

/**
 * Room for the rows of a step: what a scan reads and its outputs before the rule's last step.
 *
 * @param inputs what the scan reads
 * @param out [rows, queryHeads, valueDim]
 */
record ScanTensors(LinearScanInputs inputs, Tensor out) {
  static ScanTensors allocate(Device.TensorArena arena, LinearScanSpec spec, int rows) {
    int heads = spec.stateHeads();
    boolean lowRank = spec.write() == Write.LOW_RANK;
    LinearScanInputs inputs =
        new LinearScanInputs(
            arena.allocate(DType.F32, rows, spec.queryHeads(), spec.keyDim()),
            arena.allocate(DType.F32, rows, heads, spec.keyDim()),
            arena.allocate(DType.F32, rows, heads, spec.valueDim()),
            spec.decay() == Decay.NONE
                ? null
                : arena.allocate(
                    DType.F32, rows, heads, spec.decay() == Decay.KEY ? spec.keyDim() : 1),
            spec.write() == Write.DELTA ? arena.allocate(DType.F32, rows, heads) : null,
            lowRank ? arena.allocate(DType.F32, rows, heads, spec.keyDim()) : null,
            lowRank ? arena.allocate(DType.F32, rows, heads, spec.keyDim()) : null);
    return new ScanTensors(
        inputs, arena.allocate(DType.F32, rows, spec.queryHeads(), spec.valueDim()));
  }
}
