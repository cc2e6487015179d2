package io.attention4j.kvcache;

import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;

/**
 * Slabs that are mapped files: the system keeps in memory what fits and what is used. A file per
 * slab, so that what is freed goes back to the disk.
 */
record MappedSlabs(TierFolder folder) implements SlabMemory {
  /** Large, since a process may have some ten thousand mappings. */
  private static final long SLAB_BYTES = 1 << 22;

  @Override
  public long slabBytes(long taken) {
    return SLAB_BYTES;
  }

  @Override
  public boolean inFile() {
    return true;
  }

  @Override
  public Slab allocate(int pages, long pageBytes) {
    long bytes = pages * pageBytes;
    Arena arena = Arena.ofShared();
    boolean complete = false;
    try {
      TierFolder.Opened file = folder.create();
      try (FileChannel channel = file.channel()) {
        TierFolder.reserve(channel, 0, bytes, TierFolder.zeros(1));
        MemorySegment mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        Tensor memory = Tensor.of(mapped, DType.I8, Shape.of(pages, pageBytes));
        complete = true;
        return new Slab(memory, arena::close);
      } finally {
        TierFolder.unlink(file.name());
      }
    } catch (IOException e) {
      throw folder.failed("written", e);
    } finally {
      if (!complete) {
        arena.close();
      }
    }
  }
}
