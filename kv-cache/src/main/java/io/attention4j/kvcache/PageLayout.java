package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What a page is made of: keys, and values from the next multiple of 64 bytes on or in a place of
 * their own.
 *
 * @param capacity slots
 * @param keyFormat how keys are stored
 * @param keyDim elements of a key
 * @param valueFormat how values are stored
 * @param valueDim elements of a value
 */
record PageLayout(
    int capacity, KvFormat keyFormat, int keyDim, KvFormat valueFormat, int valueDim) {

  long valueOffset() {
    return roundUp(keyFormat.pageBytes(capacity, keyDim));
  }

  /** Bytes of a page. */
  long bytes() {
    return valueOffset() + roundUp(valueFormat.pageBytes(capacity, valueDim));
  }

  /** A view of a buffer as a page, empty. */
  KvPage page(PageBuffer buffer) {
    return buffer.values == null
        ? page(buffer.memory)
        : page(buffer.memory, buffer.values.storage(), buffer.values.byteOffset());
  }

  /** A view of memory as a page, empty; values lie behind the keys. */
  KvPage page(Tensor memory) {
    return page(memory, memory.storage(), memory.byteOffset() + valueOffset());
  }

  private KvPage page(Tensor keys, Storage values, long valuesAt) {
    return new KvPage(
        capacity,
        keys.storage(),
        keys.byteOffset(),
        keyFormat,
        keyDim,
        values,
        valuesAt,
        valueFormat,
        valueDim);
  }

  PageLayout withCapacity(int slots) {
    return new PageLayout(slots, keyFormat, keyDim, valueFormat, valueDim);
  }

  /** Copies the first slots of a page to the start of another with the same formats and dims. */
  static void copySlots(Device device, KvPage from, KvPage to, int slots) {
    copySlots(device, from, 0, to, 0, slots);
  }

  /** Copies one slot of a page to one of another page, or of the same. */
  static void copySlot(Device device, KvPage from, int fromSlot, KvPage to, int toSlot) {
    copySlots(device, from, fromSlot, to, toSlot, 1);
  }

  private static void copySlots(
      Device device, KvPage from, int fromSlot, KvPage to, int toSlot, int slots) {
    copySlots(
        device,
        from.keyFormat(),
        from.keyDim(),
        slots,
        from.keys(),
        from.keyOffset(),
        from.capacity(),
        fromSlot,
        to.keys(),
        to.keyOffset(),
        to.capacity(),
        toSlot);
    copySlots(
        device,
        from.valueFormat(),
        from.valueDim(),
        slots,
        from.values(),
        from.valueOffset(),
        from.capacity(),
        fromSlot,
        to.values(),
        to.valueOffset(),
        to.capacity(),
        toSlot);
  }

  private static void copySlots(
      Device device,
      KvFormat format,
      int dim,
      int slots,
      Storage from,
      long fromOffset,
      int fromCapacity,
      int fromSlot,
      Storage to,
      long toOffset,
      int toCapacity,
      int toSlot) {
    var fromRegions = format.regions(fromCapacity, dim);
    var toRegions = format.regions(toCapacity, dim);
    for (int i = 0; i < fromRegions.size(); i++) {
      long slotBytes = fromRegions.get(i).slotBytes();
      long bytes = slots * slotBytes;
      long source = fromOffset + fromRegions.get(i).offset() + fromSlot * slotBytes;
      long target = toOffset + toRegions.get(i).offset() + toSlot * slotBytes;
      if (from instanceof Storage.Host a && to instanceof Storage.Host b) {
        MemorySegment.copy(a.segment(), source, b.segment(), target, bytes);
      } else {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment staged = arena.allocate(bytes);
          device.download(Tensor.of(from, DType.I8, Shape.of(bytes), source), staged);
          device.upload(staged, Tensor.of(to, DType.I8, Shape.of(bytes), target));
        }
      }
    }
  }

  private static long roundUp(long bytes) {
    return (bytes + Tensor.ALIGNMENT_BYTES - 1) & -Tensor.ALIGNMENT_BYTES;
  }
}
