package io.attention4j.kernels.cpu.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class HugePagesTest {
  private static final long BYTES = 5 * HugePages.PAGE_BYTES + 1000;

  @Test
  void memoryIsZeroAlignedAndWritableToItsEnd() {
    MemorySegment memory;
    try (Arena arena = Arena.ofShared()) {
      memory = HugePages.allocate(arena, BYTES);
      assertEquals(BYTES, memory.byteSize());
      assertEquals(0, memory.address() % HugePages.PAGE_BYTES);
      for (long at = 0; at < BYTES; at += 999) {
        assertEquals(0, memory.get(ValueLayout.JAVA_BYTE, at));
      }
      memory.fill((byte) 7);
      assertEquals(7, memory.get(ValueLayout.JAVA_BYTE, BYTES - 1));
    }
    assertThrows(IllegalStateException.class, () -> memory.get(ValueLayout.JAVA_BYTE, 0));
  }

  @Test
  void theKernelGivesHugePages() throws Exception {
    Path setting = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");
    assumeTrue(
        HugePages.isSupported()
            && Files.exists(setting)
            && !Files.readString(setting).contains("[never]"),
        "SKIPPED: no transparent huge pages here");
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = HugePages.allocate(arena, BYTES);
      memory.fill((byte) 1);
      String address = Long.toHexString(memory.address());
      List<String> maps = Files.readAllLines(Path.of("/proc/self/smaps"));
      // The advice has a mapping of its own, marked "hg"; whether pages are free is luck.
      int first =
          maps.indexOf(
              maps.stream().filter(line -> line.startsWith(address + "-")).findFirst().orElse(""));
      assertTrue(first >= 0, "no mapping starts at " + address);
      String flags =
          maps.stream().skip(first).filter(line -> line.startsWith("VmFlags")).findFirst().get();
      assertTrue(flags.contains(" hg"), flags);
    }
  }
}
