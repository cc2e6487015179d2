package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Q4Slots;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.RowCodec;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Reads stored keys and values back as floats, one slot at a time. */
final class SlotReader {
  private final Device device;

  SlotReader(Device device) {
    this.device = device;
  }

  void key(KvPage page, int slot, float[] target) {
    read(page.keys(), page.keyOffset(), page.keyFormat(), page.capacity(), slot, target);
  }

  void value(KvPage page, int slot, float[] target) {
    read(page.values(), page.valueOffset(), page.valueFormat(), page.capacity(), slot, target);
  }

  private void read(
      Storage storage, long offset, KvFormat format, int capacity, int slot, float[] target) {
    int dim = target.length;
    List<KvFormat.Region> regions = format.regions(capacity, dim);
    if (storage instanceof Storage.Host host) {
      MemorySegment[] parts = new MemorySegment[regions.size()];
      for (int i = 0; i < parts.length; i++) {
        KvFormat.Region region = regions.get(i);
        long at = offset + region.offset() + (long) slot * region.slotBytes();
        parts[i] = host.segment().asSlice(at, region.slotBytes());
      }
      decode(format, parts, target);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment[] parts = new MemorySegment[regions.size()];
      for (int i = 0; i < parts.length; i++) {
        KvFormat.Region region = regions.get(i);
        long at = offset + region.offset() + (long) slot * region.slotBytes();
        parts[i] = arena.allocate(region.slotBytes(), Float.BYTES);
        device.download(Tensor.of(storage, DType.I8, Shape.of(region.slotBytes()), at), parts[i]);
      }
      decode(format, parts, target);
    }
  }

  private static IllegalArgumentException notBySlots(KvFormat format) {
    return new IllegalArgumentException(format + " pages are not read slot by slot");
  }

  private static void decode(KvFormat format, MemorySegment[] parts, float[] target) {
    switch (format) {
      case KvFormat.Plain plain ->
          RowCodec.of(plain.dtype()).decode(parts[0], 0, target, 0, target.length);
      case KvFormat.Q8 q8 -> {
        float scale = parts[1].get(Tensor.FLOAT, 0);
        for (int d = 0; d < target.length; d++) {
          target[d] = scale * parts[0].get(ValueLayout.JAVA_BYTE, d);
        }
      }
      case KvFormat.Q4 q4 -> Q4Slots.decode(parts[0], 0, parts[1], 0, target, 0, target.length);
      case KvFormat.Grouped grouped -> throw notBySlots(format);
      case KvFormat.Staircase staircase -> throw notBySlots(format);
    }
  }
}
