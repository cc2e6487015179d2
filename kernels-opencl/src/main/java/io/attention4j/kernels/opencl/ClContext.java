package io.attention4j.kernels.opencl;

import io.attention4j.kernels.opencl.OpenClException.Fault;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;

/**
 * A context with an in-order queue of kernels and one of uploads: memory, transfers and launches.
 * Nothing waits for the device but reads and large writes. Calls of several threads take turns.
 */
final class ClContext implements AutoCloseable {
  /** A buffer of Java holds less than 2 GiB; pieces of this size are as fast as any. */
  private static final long PIECE_BYTES = 256L << 20;

  private final ClApi api;
  private final ClDevice device;
  private final long budgetBytes;
  private final cl_context context;
  private final cl_command_queue queue;
  private final ClUploads uploads;
  private final ClProgramCache programs;
  private final ClProfile profile;
  private long usedBytes;
  private long createdBytes;
  private OpenClException lost;

  ClContext(ClApi api, ClDevice device, ClSettings settings) {
    this.api = api;
    this.device = device;
    this.budgetBytes = settings.budgetBytes(device);
    cl_context created = null;
    cl_command_queue kernels = null;
    cl_command_queue transfers = null;
    try {
      created = api.createContext(device.platform(), device.id());
      kernels = api.createQueue(created, device.id(), settings.profile());
      transfers = api.createQueue(created, device.id(), false);
    } catch (ClFailure e) {
      if (kernels != null) {
        api.release(kernels);
      }
      if (created != null) {
        api.release(created);
      }
      throw new OpenClException(
          Fault.CALL_FAILED, device.name() + " cannot be opened: " + e.getMessage(), e);
    }
    this.context = created;
    this.queue = kernels;
    this.uploads = new ClUploads(this, api, kernels, transfers);
    this.programs = new ClProgramCache(api, created, device, settings.cache(device));
    this.profile = settings.profile() ? new ClProfile(api) : null;
  }

  ClDevice device() {
    return device;
  }

  /** Programs compiled so far. */
  synchronized int builds() {
    return programs.builds();
  }

  /** Programs taken from the cache on disk so far. */
  synchronized int loads() {
    return programs.loads();
  }

  /** Bytes of all buffers created so far, freed ones included. */
  synchronized long createdBytes() {
    return createdBytes;
  }

  /** Bytes that buffers may have together. */
  long budgetBytes() {
    return budgetBytes;
  }

  /** Bytes of the budget that no buffer has. */
  synchronized long freeBytes() {
    return budgetBytes - usedBytes;
  }

  /** Times by kernel so far; only where the settings ask for a profile. */
  synchronized String profileTable() {
    return profile.table();
  }

  /** Whether the device stopped working. */
  synchronized boolean isLost() {
    return lost != null;
  }

  /**
   * A zero-filled buffer of at least one byte; the caller closes it.
   *
   * @throws OpenClException if it does not fit; names the sizes and the remedy
   */
  synchronized ClBuffer allocate(long bytes) {
    requireWorking();
    long size = Math.max(1, bytes);
    if (size > device.allocationBytes()) {
      throw outOfMemory(
          size, "its largest buffer has " + mebibytes(device.allocationBytes()), null);
    }
    if (size > budgetBytes - usedBytes) {
      throw outOfMemory(
          size,
          mebibytes(usedBytes) + " of the budget of " + mebibytes(budgetBytes) + " used",
          null);
    }
    cl_mem memory;
    try {
      memory = api.createBuffer(context, size);
    } catch (ClFailure e) {
      throw e.outOfMemory()
          ? outOfMemory(size, mebibytes(usedBytes) + " used; " + e.getMessage(), e)
          : failed("creating a buffer", e);
    }
    usedBytes += size;
    createdBytes += size;
    ClBuffer buffer = new ClBuffer(this, memory, size);
    try {
      // Drivers find room when a buffer is first used.
      api.clear(queue, memory, size);
    } catch (ClFailure e) {
      buffer.close();
      throw e.outOfMemory()
          ? outOfMemory(size, mebibytes(usedBytes) + " used; " + e.getMessage(), e)
          : failed("clearing a buffer", e);
    }
    return buffer;
  }

  private OpenClException outOfMemory(long bytes, String detail, ClFailure cause) {
    return new OpenClException(
        Fault.OUT_OF_MEMORY,
        "cannot allocate "
            + mebibytes(bytes)
            + " on "
            + device.name()
            + " with "
            + mebibytes(device.globalBytes())
            + " ("
            + detail
            + "); use a smaller context or model, fewer layers on the device or the CPU kernels",
        cause);
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
  }

  /** Gives a buffer back, whatever became of the device. */
  synchronized void free(cl_mem memory, long bytes) {
    usedBytes -= bytes;
    release(() -> api.release(memory));
  }

  /** A driver may refuse to release what was on a lost device; nothing can be done about it. */
  private void release(Runnable call) {
    try {
      call.run();
    } catch (ClFailure e) {
      if (lost == null && !e.lost()) {
        throw failed("releasing", e);
      }
    }
  }

  private void requireWorking() {
    if (lost != null) {
      throw new OpenClException(Fault.DEVICE_LOST, lost.getMessage(), lost);
    }
  }

  /** What a refused call means: the device is lost, or just this call. */
  OpenClException failed(String what, ClFailure e) {
    if (lost != null) {
      return new OpenClException(Fault.DEVICE_LOST, lost.getMessage(), lost);
    }
    if (e.lost()) {
      lost =
          new OpenClException(
              Fault.DEVICE_LOST,
              device.name()
                  + " was lost while "
                  + what
                  + " ("
                  + e.getMessage()
                  + "); what was on it is gone: load the model again, with --kernels auto to go on"
                  + " with the CPU if the device stays away",
              e);
      ClLost.remember(device, lost.getMessage());
      return lost;
    }
    return new OpenClException(
        Fault.CALL_FAILED, what + " failed on " + device.name() + ": " + e.getMessage(), e);
  }

  /** Copies host memory to a buffer. The caller may change it at once. */
  synchronized void write(MemorySegment source, ClBuffer target, long offset) {
    requireWorking();
    if (profile != null) {
      profile.uploaded(source.byteSize());
    }
    try {
      if (source.byteSize() <= ClUploads.MOST_BYTES) {
        uploads.write(source, target.memory(), offset);
        return;
      }
      for (long at = 0; at < source.byteSize(); at += PIECE_BYTES) {
        MemorySegment piece = piece(source, at);
        if (piece.isNative()) {
          writePiece(piece, target, offset + at);
        } else {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(piece.byteSize());
            copy.copyFrom(piece);
            writePiece(copy, target, offset + at);
          }
        }
      }
    } catch (ClFailure e) {
      throw failed("writing to the device", e);
    }
  }

  private static MemorySegment piece(MemorySegment whole, long at) {
    return whole.asSlice(at, Math.min(PIECE_BYTES, whole.byteSize() - at));
  }

  private void writePiece(MemorySegment piece, ClBuffer target, long offset) {
    Pointer from = Pointer.to(piece.asByteBuffer());
    api.write(queue, target.memory(), true, offset, piece.byteSize(), from, null);
  }

  /** Waits for everything before and copies a buffer to host memory. */
  synchronized void read(ClBuffer source, long offset, MemorySegment target) {
    requireWorking();
    try {
      for (long at = 0; at < target.byteSize(); at += PIECE_BYTES) {
        MemorySegment piece = piece(target, at);
        if (piece.isNative()) {
          readPiece(source, offset + at, piece);
        } else {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(piece.byteSize());
            readPiece(source, offset + at, copy);
            piece.copyFrom(copy);
          }
        }
      }
      if (profile != null) {
        profile.collect();
        profile.read(target.byteSize());
      }
    } catch (ClFailure e) {
      throw failed("reading from the device", e);
    }
  }

  private void readPiece(ClBuffer source, long offset, MemorySegment piece) {
    Pointer to = Pointer.to(piece.asByteBuffer());
    api.read(queue, source.memory(), offset, piece.byteSize(), to);
  }

  /** Waits until the device has done everything. */
  synchronized void finish() {
    requireWorking();
    try {
      api.finish(queue);
      if (profile != null) {
        profile.collect();
      }
    } catch (ClFailure e) {
      throw failed("waiting for the device", e);
    }
  }

  /**
   * Enqueues a kernel over {@code groups} work groups of {@code items} items.
   *
   * @param arguments ClBuffer, Integer, Long or Float, in the kernel's order
   */
  synchronized void launch(
      ClProgramCache.Source source, String name, long[] groups, long[] items, Object... arguments) {
    requireWorking();
    long[] global = new long[groups.length];
    for (int i = 0; i < groups.length; i++) {
      if (groups[i] == 0) {
        return;
      }
      global[i] = Math.multiplyExact(groups[i], items[i]);
    }
    try {
      cl_kernel kernel = programs.kernel(source, name);
      for (int i = 0; i < arguments.length; i++) {
        Object value = arguments[i] instanceof ClBuffer buffer ? buffer.memory() : arguments[i];
        api.argument(kernel, i, value);
      }
      cl_event done = profile == null ? null : profile.start(name);
      api.launch(queue, kernel, global, items, done);
    } catch (ClFailure e) {
      throw failed("running " + name, e);
    }
  }

  @Override
  public synchronized void close() {
    release(() -> api.finish(queue));
    if (profile != null) {
      release(profile::close);
    }
    uploads.close();
    programs.close(this::release);
    release(() -> api.release(uploads.transfers()));
    release(() -> api.release(queue));
    release(() -> api.release(context));
  }
}
