package io.attention4j.kernels.cpu.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Native memory in pages of 2 MB, which saves the page walks of long sequential reads. Needs Linux
 * with transparent huge pages on {@code madvise} or {@code always} and a JVM that enables native
 * access for this module; elsewhere the memory has ordinary pages, which is all that differs.
 */
public final class HugePages {
  /** Size and alignment of a huge page on x86-64 and, with 4 KB base pages, on AArch64. */
  public static final long PAGE_BYTES = 2L << 20;

  // From Linux's headers, the same on both architectures.
  private static final int PROT_READ_WRITE = 1 | 2;
  private static final int MAP_PRIVATE_ANONYMOUS = 2 | 0x20;
  private static final int MADV_HUGEPAGE = 14;
  private static final long MAP_FAILED = -1;

  private HugePages() {}

  /**
   * Zero-filled memory, freed when the arena closes. The pages do not exist until they are written.
   *
   * @param bytes at least 1
   */
  public static MemorySegment allocate(Arena arena, long bytes) {
    if (!isSupported()) {
      return arena.allocate(bytes, PAGE_BYTES);
    }
    long rounded = Math.ceilDiv(bytes, PAGE_BYTES) * PAGE_BYTES;
    MemorySegment mapped = Native.map(rounded + PAGE_BYTES, arena);
    if (mapped.address() == MAP_FAILED) {
      return arena.allocate(bytes, PAGE_BYTES); // which reports that memory is short
    }
    long offset = -mapped.address() & PAGE_BYTES - 1;
    Native.adviseHuge(mapped.asSlice(offset, rounded));
    return mapped.asSlice(offset, bytes);
  }

  /** Whether memory can be asked for in huge pages at all. */
  public static boolean isSupported() {
    return System.getProperty("os.name").equals("Linux")
        && HugePages.class.getModule().isNativeAccessEnabled();
  }

  /** Initialised only where native access is enabled, so that the JVM never warns about us. */
  @SuppressWarnings("restricted")
  private static final class Native {
    private static final MethodHandle MMAP =
        function(
            "mmap",
            FunctionDescriptor.of(
                ValueLayout.ADDRESS,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG));
    private static final MethodHandle MUNMAP =
        function(
            "munmap",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
    private static final MethodHandle MADVISE =
        function(
            "madvise",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT));

    private static MethodHandle function(String name, FunctionDescriptor type) {
      Linker linker = Linker.nativeLinker();
      return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    static MemorySegment map(long bytes, Arena arena) {
      MemorySegment at;
      try {
        at =
            (MemorySegment)
                MMAP.invokeExact(
                    MemorySegment.NULL, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
      } catch (Throwable e) {
        throw new AssertionError("mmap does not throw", e);
      }
      return at.address() == MAP_FAILED ? at : at.reinterpret(bytes, arena, Native::unmap);
    }

    private static void unmap(MemorySegment mapped) {
      try {
        int _ = (int) MUNMAP.invokeExact(mapped, mapped.byteSize());
      } catch (Throwable e) {
        throw new AssertionError("munmap does not throw", e);
      }
    }

    /** A refusal leaves ordinary pages, so the result does not matter. */
    static void adviseHuge(MemorySegment pages) {
      try {
        int _ = (int) MADVISE.invokeExact(pages, pages.byteSize(), MADV_HUGEPAGE);
      } catch (Throwable e) {
        throw new AssertionError("madvise does not throw", e);
      }
    }
  }
}
