package io.attention4j.engine.attention;

import static io.attention4j.engine.attention.KvFormat.Grouped.BLOCK_BYTES;
import static io.attention4j.engine.attention.KvFormat.Grouped.SEGMENT;

import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.attention.KvFormat.Grouped.Axis;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Writes and reads pages of {@link KvFormat.Grouped} in host memory. Stateless; any thread may call
 * it.
 *
 * <p>As in {@link Q4Slots} the minimum is rounded down and the step up to half precision, so that
 * the codes enclose their group and no element is clamped: each is off by at most half a step. KIVI
 * rounds both to the nearest half.
 */
public final class GroupedPages {
  private static final int LANES = SEGMENT / 4;

  private GroupedPages() {}

  /**
   * Stores the first {@code count} slots of a page; all codes of the page are rewritten. Slots
   * behind them hold anything.
   *
   * @param rows [count, dim]
   * @param at byte at which the page begins in {@code page}
   */
  public static void encode(
      Grouped format, float[] rows, int count, int capacity, int dim, MemorySegment page, long at) {
    boolean channels = format.axis() == Axis.CHANNEL;
    int lines = channels ? dim : count;
    int columns = channels ? count : dim;
    int lineStride = channels ? 1 : dim;
    int columnStride = channels ? dim : 1;
    int allLines = format.lines(capacity, dim);
    long steps = at + format.stepOffset(capacity, dim);
    long minima = at + format.minimumOffset(capacity, dim);
    int most = format.mostCode();
    int blockLines = format.blockLines();
    int[] codes = new int[Math.ceilDiv(lines, blockLines) * Math.ceilDiv(columns, SEGMENT) * LANES];
    int segmentWords = Math.ceilDiv(lines, blockLines) * LANES;
    for (int line = 0; line < lines; line++) {
      int lineShift = line % blockLines * 4 * format.bits();
      int lineWords = line / blockLines * LANES;
      for (int first = 0; first < columns; first += format.group()) {
        int end = Math.min(columns, first + format.group());
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        for (int c = first; c < end; c++) {
          float x = rows[line * lineStride + c * columnStride];
          low = Math.min(low, x);
          high = Math.max(high, x);
        }
        float minimum = Q4Slots.floor(low);
        float step = Q4Slots.ceil(((double) high - minimum) / most);
        if (!Float.isFinite(minimum) || !Float.isFinite(step)) {
          // Also where an element is not finite: the group reads as NaN instead of as some number.
          minimum = 0;
          step = Float.NaN;
        }
        long parameter = 2L * ((long) first / format.group() * allLines + line);
        page.set(Tensor.SHORT, steps + parameter, Float.floatToFloat16(step));
        page.set(Tensor.SHORT, minima + parameter, Float.floatToFloat16(minimum));
        if (!(step > 0)) {
          continue;
        }
        float inverse = 1 / step;
        for (int c = first; c < end; c++) {
          float x = rows[line * lineStride + c * columnStride];
          int code = Math.min(most, (int) ((x - minimum) * inverse + 0.5f));
          int word = c / SEGMENT * segmentWords + lineWords + c % LANES;
          codes[word] |= code << lineShift + c % SEGMENT / LANES * format.bits();
        }
      }
    }
    long segmentBytes = format.segmentBytes(capacity, dim);
    for (int segment = 0; segment * SEGMENT < columns; segment++) {
      long to = at + segment * segmentBytes;
      MemorySegment.copy(codes, segment * segmentWords, page, Tensor.INT, to, segmentWords);
    }
  }

  /**
   * Reads slots [slot, slot + count) of a page to {@code to}, row-major from {@code toAt}.
   *
   * @param at byte at which the page begins in {@code page}
   */
  public static void decode(
      Grouped format,
      MemorySegment page,
      long at,
      int capacity,
      int dim,
      int slot,
      int count,
      float[] to,
      int toAt) {
    boolean channels = format.axis() == Axis.CHANNEL;
    int firstLine = channels ? 0 : slot;
    int endLine = channels ? dim : slot + count;
    int firstColumn = channels ? slot : 0;
    int endColumn = channels ? slot + count : dim;
    int lineStride = channels ? 1 : dim;
    int columnStride = channels ? dim : 1;
    int allLines = format.lines(capacity, dim);
    long steps = at + format.stepOffset(capacity, dim);
    long minima = at + format.minimumOffset(capacity, dim);
    long segmentBytes = format.segmentBytes(capacity, dim);
    int most = format.mostCode();
    int blockLines = format.blockLines();
    for (int line = firstLine; line < endLine; line++) {
      int lineShift = line % blockLines * 4 * format.bits();
      long block = at + (long) (line / blockLines) * BLOCK_BYTES;
      int target = toAt + (line - firstLine) * lineStride - firstColumn * columnStride;
      for (int c = firstColumn; c < endColumn; ) {
        int end = Math.min(endColumn, (c / LANES + 1) * LANES);
        long parameter = 2L * ((long) (c / format.group()) * allLines + line);
        float step = Float.float16ToFloat(page.get(Tensor.SHORT, steps + parameter));
        float minimum = Float.float16ToFloat(page.get(Tensor.SHORT, minima + parameter));
        int shift = lineShift + c % SEGMENT / LANES * format.bits();
        long words = block + c / SEGMENT * segmentBytes;
        for (; c < end; c++) {
          int code = page.get(Tensor.INT, words + c % LANES * 4L) >>> shift & most;
          to[target + c * columnStride] = code * step + minimum;
        }
      }
    }
  }
}
