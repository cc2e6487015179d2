package io.attention4j.testkit;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.GroupedPages;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * An attention problem in a device's memory: pages at shuffled places of one pool, every byte that
 * holds no slot set so that it reads as NaN, outputs between guards and filled with NaN.
 */
public final class AttentionFixture implements AutoCloseable {
  private static final float UNFILLED_BIAS = 1e30f;

  private final Device device;
  private final Device.TensorArena arena;
  private final AttentionData data;
  private final AttentionBatch batch = new AttentionBatch();
  private final AttentionInputs inputs;

  /**
   * What a run wrote.
   *
   * @param out [rows, queryHeads, valueDim]
   * @param lse [rows, queryHeads], null unless softmax
   */
  public record Result(float[] out, float[] lse) {}

  /** Allocates and fills everything. */
  public AttentionFixture(Device device, AttentionData data) {
    this.device = device;
    this.data = data;
    this.arena = device.newArena();
    AttentionSpec spec = data.spec();
    fillBatch();
    float[] q = new float[data.totalRows() * spec.queryHeads() * spec.headDim()];
    int at = 0;
    for (AttentionData.Sequence s : data.sequences()) {
      System.arraycopy(s.q(), 0, q, at, s.q().length);
      at += s.q().length;
    }
    GuardedFloats queries =
        GuardedFloats.of(
            device, arena, data.layout(), q, data.totalRows(), spec.queryHeads(), spec.headDim());
    inputs = new AttentionInputs(queries.tensor(), pages(), data.selection());
  }

  /** Opens a plan on the device, runs once and closes it. */
  public static Result evaluate(Device device, AttentionData data) {
    AttentionKernel kernel = device.kernel(AttentionKernel.class).orElseThrow();
    try (AttentionFixture fixture = new AttentionFixture(device, data);
        AttentionPlan plan = kernel.plan(data.spec())) {
      return fixture.run(plan);
    }
  }

  /** Runs a plan of this problem's spec into fresh outputs. */
  public Result run(AttentionPlan plan) {
    AttentionSpec spec = data.spec();
    int rows = data.totalRows();
    GuardedFloats out =
        GuardedFloats.of(
            device,
            arena,
            data.layout(),
            nans(rows * spec.queryHeads() * spec.valueDim()),
            rows,
            spec.queryHeads(),
            spec.valueDim());
    GuardedFloats lse = null;
    if (spec.normalizer() instanceof Normalizer.Softmax) {
      lse =
          GuardedFloats.of(device, arena, nans(rows * spec.queryHeads()), rows, spec.queryHeads());
    }
    plan.run(batch, inputs, new AttentionOutputs(out.tensor(), lse == null ? null : lse.tensor()));
    return new Result(out.read(), lse == null ? null : lse.read());
  }

  /** The batch. */
  public AttentionBatch batch() {
    return batch;
  }

  /** The inputs. */
  public AttentionInputs inputs() {
    return inputs;
  }

  @Override
  public void close() {
    arena.close();
  }

  private static float[] nans(int length) {
    float[] values = new float[length];
    Arrays.fill(values, Float.NaN);
    return values;
  }

  private void fillBatch() {
    for (AttentionData.Sequence s : data.sequences()) {
      int index = batch.add(s.rows(), s.firstPosition());
      batch.prefixLength(index, s.prefixLength());
      batch.documents(index, s.documents());
    }
    if (data.bits() != null) {
      Tensor bits = arena.allocate(DType.I8, data.bits().extents());
      upload(MemorySegment.ofArray(data.bits().values()), bits);
      batch.maskBits(bits);
    }
    if (data.bias() != null) {
      Tensor bias = arena.allocate(DType.F32, data.bias().extents());
      upload(MemorySegment.ofArray(data.bias().values()), bias);
      batch.bias(bias);
    }
  }

  private void upload(MemorySegment source, Tensor target) {
    try (Arena host = Arena.ofConfined()) {
      MemorySegment copy = host.allocate(Math.max(1, source.byteSize()), Tensor.ALIGNMENT_BYTES);
      MemorySegment.copy(source, 0, copy, 0, source.byteSize());
      device.upload(copy.asSlice(0, source.byteSize()), target);
    }
  }

  /** One page to be: which slots of which head go where. */
  private record Slots(
      int sequence,
      int kvHead,
      int from,
      int count,
      int capacity,
      KvFormat keyFormat,
      KvFormat valueFormat) {}

  private PagedKv pages() {
    AttentionSpec spec = data.spec();
    CaseRandom random = new CaseRandom(data.seed() + "/pages");
    List<Slots> plan = new ArrayList<>();
    for (int s = 0; s < data.sequences().size(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        plan.addAll(cut(s, h, data.sequences().get(s).heads().get(h).keys(), random));
      }
    }
    int[] place = shuffled(plan.size(), random);
    long[] keyOffset = new long[plan.size()];
    long[] valueOffset = new long[plan.size()];
    long keyBytes = 0;
    long valueBytes = 0;
    for (int p : place) {
      Slots slots = plan.get(p);
      int capacity = slots.capacity();
      keyOffset[p] = keyBytes;
      valueOffset[p] = valueBytes;
      keyBytes += AttentionData.paddedPageBytes(slots.keyFormat(), capacity, spec.headDim());
      valueBytes += AttentionData.paddedPageBytes(slots.valueFormat(), capacity, spec.valueDim());
    }
    Tensor keys = arena.allocate(DType.I8, Math.max(16, keyBytes));
    Tensor values = arena.allocate(DType.I8, Math.max(16, valueBytes));
    try (Arena host = Arena.ofConfined()) {
      MemorySegment keyImage = host.allocate(keys.byteSize(), 64).fill((byte) 0xff);
      MemorySegment valueImage = host.allocate(values.byteSize(), 64).fill((byte) 0xff);
      for (int p = 0; p < plan.size(); p++) {
        KvPage page =
            page(
                plan.get(p),
                new Storage.Host(keyImage),
                keyOffset[p],
                new Storage.Host(valueImage),
                valueOffset[p]);
        encode(plan.get(p), page, host);
      }
      device.upload(keyImage, keys);
      device.upload(valueImage, values);
    }
    PagedKv table = new PagedKv(spec.kvHeads());
    table.reset(data.sequences().size());
    List<KvPage> head = new ArrayList<>();
    for (int p = 0; p < plan.size(); p++) {
      Slots slots = plan.get(p);
      KvPage page =
          page(
              slots,
              keys.storage(),
              keys.byteOffset() + keyOffset[p],
              values.storage(),
              values.byteOffset() + valueOffset[p]);
      describe(slots, page);
      head.add(page);
      boolean last =
          p + 1 == plan.size()
              || plan.get(p + 1).sequence() != slots.sequence()
              || plan.get(p + 1).kvHead() != slots.kvHead();
      if (last) {
        List<KvPage> order = data.pages().reversed() ? head.reversed() : head;
        table.set(slots.sequence(), slots.kvHead(), order.toArray(KvPage[]::new), head.size());
        head.clear();
      }
    }
    return table;
  }

  private List<Slots> cut(int sequence, int kvHead, int keys, CaseRandom random) {
    List<Slots> slots = new ArrayList<>();
    int capacity = data.pages().capacity();
    if (capacity == 0) {
      slots.add(slots(sequence, kvHead, 0, keys, keys + 3, 0));
      return slots;
    }
    for (int from = 0; from < keys; ) {
      int count = data.pages().partial() ? random.below(capacity + 1) : capacity;
      count = Math.min(count, keys - from);
      slots.add(slots(sequence, kvHead, from, count, capacity, slots.size()));
      from += count;
    }
    return slots;
  }

  private Slots slots(int sequence, int kvHead, int from, int count, int capacity, int index) {
    return new Slots(
        sequence,
        kvHead,
        from,
        count,
        capacity,
        pageFormat(data.spec().keyFormat(), index),
        pageFormat(data.spec().valueFormat(), index));
  }

  /** Pages of a staircase take turns with its formats. */
  private static KvFormat pageFormat(KvFormat format, int index) {
    if (!(format instanceof KvFormat.Staircase staircase)) {
      return format;
    }
    int turn = index % (staircase.older().size() + 1);
    return turn == 0 ? staircase.newest() : staircase.older().get(turn - 1);
  }

  private static int[] shuffled(int length, CaseRandom random) {
    int[] order = new int[length];
    for (int i = 0; i < length; i++) {
      int j = random.below(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }

  private KvPage page(Slots slots, Storage keys, long keyOffset, Storage values, long valueOffset) {
    AttentionSpec spec = data.spec();
    return new KvPage(
        slots.capacity(),
        keys,
        keyOffset,
        slots.keyFormat(),
        spec.headDim(),
        values,
        valueOffset,
        slots.valueFormat(),
        spec.valueDim());
  }

  private void encode(Slots slots, KvPage page, Arena host) {
    if (slots.count() == 0) {
      return;
    }
    AttentionSpec spec = data.spec();
    AttentionData.Head head = head(slots).slots(slots.from(), slots.from() + slots.count());
    Tensor k = Tensor.ofFloats(host, head.k(), slots.count(), 1, spec.headDim());
    Tensor v = Tensor.ofFloats(host, head.v(), slots.count(), 1, spec.valueDim());
    if (page.keyFormat() instanceof KvFormat.Grouped keys
        && page.valueFormat() instanceof KvFormat.Grouped values) {
      encode(keys, head.k(), page.keys(), page.keyOffset(), page, spec.headDim(), slots);
      encode(values, head.v(), page.values(), page.valueOffset(), page, spec.valueDim(), slots);
      return;
    }
    WRITER.write(k, v, 0, slots.count(), 0, page, 0);
  }

  private static void encode(
      KvFormat.Grouped format,
      float[] rows,
      Storage storage,
      long offset,
      KvPage page,
      int dim,
      Slots slots) {
    MemorySegment memory = ((Storage.Host) storage).segment();
    GroupedPages.encode(format, rows, slots.count(), page.capacity(), dim, memory, offset);
  }

  /** Length, positions and biases; what unfilled slots say would change results if it were used. */
  private void describe(Slots slots, KvPage page) {
    AttentionData.Head head = head(slots).slots(slots.from(), slots.from() + slots.count());
    page.length(slots.count());
    if (head.explicitPositions()) {
      int[] positions = new int[slots.capacity()];
      for (int i = 0; i < slots.count(); i++) {
        positions[i] = Math.toIntExact(head.positions()[i]);
      }
      page.positions(positions);
    } else if (slots.count() > 0) {
      page.firstPosition(head.positions()[0]);
    }
    if (head.bias() != null) {
      float[] bias = new float[slots.capacity()];
      Arrays.fill(bias, UNFILLED_BIAS);
      System.arraycopy(head.bias(), 0, bias, 0, slots.count());
      page.bias(bias);
    }
  }

  private AttentionData.Head head(Slots slots) {
    return data.sequences().get(slots.sequence()).heads().get(slots.kvHead());
  }

  /** The reference writes all pages, so that every provider reads the same bytes. */
  private static final KvWriteKernel WRITER =
      KernelSelector.open("reference", DeviceOptions.DEFAULTS)
          .device()
          .kernel(KvWriteKernel.class)
          .orElseThrow();
}
