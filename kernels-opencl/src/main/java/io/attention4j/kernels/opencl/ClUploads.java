package io.attention4j.kernels.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_event;
import org.jocl.cl_mem;

/**
 * Uploads that do not wait: host memory is copied to one of a few slots, goes from there to the
 * device on a queue of its own while kernels run (so that the rows of the next chunk of a prompt
 * travel while this one is computed), and to its place on the device in the order of the kernels. A
 * slot is used again when its last copy is done. Used under the context's lock.
 */
final class ClUploads implements AutoCloseable {
  /** Rows of the longest chunk of a prompt: 1024 of 8192 floats. */
  static final long MOST_BYTES = 32L << 20;

  /** Weights are not waited for by anybody, and longer ones are not worth slots of their size. */
  static final long MOST_LOADED_BYTES = 4L << 20;

  /** Up to here a copy costs more than what it hides. */
  private static final long SMALL_BYTES = 64 << 10;

  private static final int SLOTS = 4;

  /** Small ones come several a layer, and the host should be many layers ahead of the device. */
  private static final int SMALL_SLOTS = 64;

  private static final class Slot {
    private Arena arena;
    private MemorySegment host;
    private Pointer pointer;
    private ClBuffer onDevice;
    private cl_event done;
  }

  private final ClContext context;
  private final ClApi api;
  private final cl_command_queue kernels;
  private final cl_command_queue transfers;
  private final Slot[] slots = slots(SLOTS);
  private final Slot[] smallSlots = slots(SMALL_SLOTS);
  private int next;
  private int nextSmall;

  ClUploads(ClContext context, ClApi api, cl_command_queue kernels, cl_command_queue transfers) {
    this.context = context;
    this.api = api;
    this.kernels = kernels;
    this.transfers = transfers;
  }

  private static Slot[] slots(int count) {
    Slot[] slots = new Slot[count];
    Arrays.setAll(slots, i -> new Slot());
    return slots;
  }

  cl_command_queue transfers() {
    return transfers;
  }

  void write(MemorySegment source, cl_mem target, long offset) {
    long bytes = source.byteSize();
    if (bytes == 0) {
      return;
    }
    Slot slot;
    if (bytes <= SMALL_BYTES) {
      slot = smallSlots[nextSmall];
      nextSmall = (nextSmall + 1) % SMALL_SLOTS;
    } else {
      slot = slots[next];
      next = (next + 1) % SLOTS;
    }
    if (slot.done != null) {
      cl_event before = slot.done;
      slot.done = null;
      try {
        api.await(before);
      } finally {
        api.release(before);
      }
    }
    grow(slot, bytes);
    MemorySegment.copy(source, 0, slot.host, 0, bytes);
    cl_event done = new cl_event();
    if (bytes <= SMALL_BYTES) {
      api.write(kernels, target, false, offset, bytes, slot.pointer, done);
    } else {
      cl_event arrived = new cl_event();
      api.write(transfers, slot.onDevice.memory(), false, 0, bytes, slot.pointer, arrived);
      try {
        api.flush(transfers);
        api.copy(kernels, slot.onDevice.memory(), 0, target, offset, bytes, arrived, done);
      } finally {
        api.release(arrived);
      }
    }
    slot.done = done;
    api.flush(kernels);
  }

  private void grow(Slot slot, long bytes) {
    long capacity = Math.max(256, Long.highestOneBit(2 * bytes - 1));
    if (slot.host == null || slot.host.byteSize() < bytes) {
      if (slot.arena != null) {
        slot.arena.close();
      }
      slot.arena = Arena.ofShared();
      slot.host = slot.arena.allocate(capacity, 64);
      slot.pointer = Pointer.to(slot.host.asByteBuffer());
    }
    if (bytes > SMALL_BYTES && (slot.onDevice == null || slot.onDevice.byteSize() < bytes)) {
      if (slot.onDevice != null) {
        slot.onDevice.close();
        slot.onDevice = null;
      }
      slot.onDevice = context.allocate(capacity);
    }
  }

  @Override
  public void close() {
    close(slots);
    close(smallSlots);
  }

  private void close(Slot[] ring) {
    for (Slot slot : ring) {
      if (slot.done != null) {
        try {
          api.release(slot.done);
        } catch (ClFailure e) {
          // Only a lost device refuses, and then the context has said so.
          slot.done = null;
        }
      }
      if (slot.onDevice != null) {
        slot.onDevice.close();
      }
      if (slot.arena != null) {
        slot.arena.close();
      }
    }
  }
}
