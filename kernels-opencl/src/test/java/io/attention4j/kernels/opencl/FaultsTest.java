package io.attention4j.kernels.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.LinearScanSpec.Decay;
import io.attention4j.engine.spi.LinearScanSpec.Write;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.tensor.DType;
import io.attention4j.kernels.opencl.OpenClException.Fault;
import java.util.Map;
import org.jocl.CL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a driver may refuse, on a fake of it: one clear exception, and nothing is left behind. */
class FaultsTest {
  private static final ClSettings SETTINGS = new ClSettings("", 0, null, false);

  private final CountingCl cl =
      new CountingCl(new FakeCl(FakeCl.Offer.cpu("Slow"), FakeCl.Offer.gpu("Fast")));
  private final OpenClProvider provider = new OpenClProvider(cl);

  @AfterEach
  void nothingIsLeft() {
    assertEquals(Map.of(), cl.live());
  }

  @Test
  void theGpuComesFirst() {
    try (OpenClDevice device = provider.openDevice(SETTINGS)) {
      assertEquals("Fast", device.context().device().name());
    }
  }

  @Test
  void theAutomaticChoiceTakesGpusThatWork() {
    assertInstanceOf(Availability.Available.class, provider.automatic(SETTINGS));
    ClSettings cpu = new ClSettings("cpu", 0, null, false);
    Availability.Unavailable no =
        assertInstanceOf(Availability.Unavailable.class, provider.automatic(cpu));
    assertTrue(no.reason().startsWith("Slow is a CPU"), no.reason());
    OpenClProvider none = new OpenClProvider(new FakeCl());
    assertInstanceOf(Availability.Unavailable.class, none.automatic(SETTINGS));
  }

  @Test
  void noPlatform() {
    OpenClProvider none = new OpenClProvider(new FakeCl());
    Availability.Unavailable no =
        assertInstanceOf(Availability.Unavailable.class, none.availability());
    assertTrue(no.reason().contains("apt-get install pocl-opencl-icd"), no.reason());
    OpenClException e = assertThrows(OpenClException.class, () -> none.openDevice(SETTINGS));
    assertEquals(Fault.NO_DEVICE, e.fault());
  }

  @Test
  void aDeviceThatIsTooOldIsNamed() {
    FakeCl.Offer old = new FakeCl.Offer("Old", CL.CL_DEVICE_TYPE_GPU, "OpenCL 1.1 old", 48 << 10);
    FakeCl.Offer small = new FakeCl.Offer("Small", CL.CL_DEVICE_TYPE_GPU, "OpenCL 3.0 small", 4096);
    OpenClProvider weak = new OpenClProvider(new FakeCl(old, small));
    Availability.Unavailable no =
        assertInstanceOf(Availability.Unavailable.class, weak.availability());
    assertTrue(no.reason().contains("Old: it has OpenCL 1.1 old"), no.reason());
    assertTrue(no.reason().contains("Small: "), no.reason());
  }

  @ParameterizedTest
  @ValueSource(strings = {"createContext", "createQueue"})
  void aDeviceThatDoesNotOpen(String call) {
    for (int after = 0; after < (call.equals("createQueue") ? 2 : 1); after++) {
      cl.failOnce(call, after, CL.CL_OUT_OF_HOST_MEMORY);
      OpenClException e = assertThrows(OpenClException.class, () -> provider.openDevice(SETTINGS));
      assertTrue(e.getMessage().startsWith("Fast cannot be opened: " + call), e.getMessage());
      assertEquals(Map.of(), cl.live());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"launch", "read", "write", "clear", "build", "argument", "flush"})
  void aDeviceLostInMidRun(String call) {
    OpenClDevice device = provider.openDevice(SETTINGS);
    try (device) {
      Device.TensorArena arena = device.newArena();
      try (arena;
          DecoderStep step = new DecoderStep(device, arena)) {
        cl.failOnce(call, call.equals("clear") || call.equals("build") ? 0 : 3, -9999);
        OpenClException e =
            assertThrows(
                OpenClException.class,
                () -> {
                  for (int token = 1; token <= 8; token++) {
                    step.run(token);
                  }
                });
        assertEquals(Fault.DEVICE_LOST, e.fault(), e.getMessage());
        assertTrue(e.getMessage().startsWith("Fast was lost while "), e.getMessage());
        assertTrue(e.getMessage().contains(call), e.getMessage());
        int launches = cl.calls("launch");
        OpenClException again = assertThrows(OpenClException.class, () -> step.run(1));
        assertEquals(Fault.DEVICE_LOST, again.fault());
        assertThrows(OpenClException.class, () -> arena.allocate(DType.F32, 1 << 20));
        assertEquals(launches, cl.calls("launch"), "a lost device is left alone");
      }
    }
    assertTrue(ClLost.reason(device.context().device()).startsWith("Fast was lost"));
    Availability.Unavailable no =
        assertInstanceOf(Availability.Unavailable.class, provider.automatic(SETTINGS));
    assertTrue(no.reason().startsWith("Fast was lost"), no.reason());
    ClLost.forget(device.context().device());
    assertNull(ClLost.reason(device.context().device()));
  }

  @Test
  void aLostDeviceThatDoesNotRelease() {
    OpenClDevice device = provider.openDevice(SETTINGS);
    try (Device.TensorArena arena = device.newArena();
        DecoderStep step = new DecoderStep(device, arena)) {
      step.run(1);
      cl.failOnce("launch", 0, CL.CL_DEVICE_NOT_AVAILABLE);
      assertThrows(OpenClException.class, () -> step.run(2));
    }
    cl.failOnce("finish", 0, CL.CL_INVALID_COMMAND_QUEUE);
    device.close();
    ClLost.forget(device.context().device());
  }

  @ParameterizedTest
  @ValueSource(strings = {"createBuffer", "clear"})
  void theDriverHasNoMemory(String call) {
    try (OpenClDevice device = provider.openDevice(SETTINGS);
        Device.TensorArena arena = device.newArena()) {
      cl.failOnce(call, 0, CL.CL_MEM_OBJECT_ALLOCATION_FAILURE);
      OpenClException e =
          assertThrows(OpenClException.class, () -> arena.allocate(DType.F32, 1 << 20));
      assertEquals(Fault.OUT_OF_MEMORY, e.fault());
      assertTrue(e.getMessage().contains("cannot allocate 4.0 MiB on Fast with 1024.0 MiB"));
      assertTrue(e.getMessage().contains("smaller context"), e.getMessage());
      assertEquals(4 << 20, arena.allocate(DType.F32, 1 << 20).byteSize(), "the device works on");
    }
  }

  @Test
  void theBudgetIsKept() {
    ClSettings settings = new ClSettings("", 16, null, false);
    try (OpenClDevice device = provider.openDevice(settings)) {
      try (Device.TensorArena arena = device.newArena()) {
        arena.allocate(DType.I8, 10 << 20);
        assertEquals(6 << 20, device.context().freeBytes());
        OpenClException e =
            assertThrows(OpenClException.class, () -> arena.allocate(DType.I8, 8 << 20));
        assertEquals(Fault.OUT_OF_MEMORY, e.fault());
        assertTrue(e.getMessage().contains("10.0 MiB of the budget of 16.0 MiB used"));
      }
      assertEquals(16 << 20, device.context().freeBytes());
    }
  }

  @Test
  void aKernelThatDoesNotBuild() {
    try (OpenClDevice device = provider.openDevice(SETTINGS);
        Device.TensorArena arena = device.newArena();
        DecoderStep step = new DecoderStep(device, arena)) {
      cl.failOnce("build", 0, CL.CL_BUILD_PROGRAM_FAILURE);
      OpenClException e = assertThrows(OpenClException.class, () -> step.run(1));
      assertEquals(Fault.BUILD_FAILED, e.fault());
      assertTrue(e.getMessage().contains("line 7: no such register"), e.getMessage());
      assertTrue(e.getMessage().contains("-DWEIGHT_F32"), e.getMessage());
      assertTrue(e.getMessage().contains("Fast (GPU"), e.getMessage());
      step.run(1);
    }
  }

  @Test
  void anotherRefusedCallLeavesTheDeviceAlive() {
    try (OpenClDevice device = provider.openDevice(SETTINGS);
        Device.TensorArena arena = device.newArena();
        DecoderStep step = new DecoderStep(device, arena)) {
      cl.failOnce("launch", 1, CL.CL_INVALID_WORK_GROUP_SIZE);
      OpenClException e = assertThrows(OpenClException.class, () -> step.run(1));
      assertEquals(Fault.CALL_FAILED, e.fault());
      assertTrue(e.getMessage().contains("on Fast"), e.getMessage());
      step.run(1);
    }
  }

  @Test
  void anUnsupportedSpecGivesItsReason() {
    try (OpenClDevice device = provider.openDevice(SETTINGS)) {
      AttentionKernel kernel = device.kernel(AttentionKernel.class).orElseThrow();
      AttentionSpec spec =
          AttentionSpec.builder(1, 1, 8).mask(new Mask.Custom((s, h, i, j) -> true)).build();
      Support.No no = assertInstanceOf(Support.No.class, kernel.supports(spec));
      assertTrue(no.reason().contains("Custom"), no.reason());
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> kernel.plan(spec));
      assertEquals(no.reason(), e.getMessage());
    }
  }

  @Test
  void scansThatDoNotFitAreRefused() {
    try (OpenClDevice device = provider.openDevice(SETTINGS)) {
      LinearScanKernel kernel = device.kernel(LinearScanKernel.class).orElseThrow();
      Support.No no =
          assertInstanceOf(
              Support.No.class,
              kernel.supports(new LinearScanSpec(1, 1, 512, 8, 1, Decay.NONE, Write.ADD)));
      assertTrue(no.reason().contains("keyDim 512"), no.reason());
      no =
          assertInstanceOf(
              Support.No.class,
              kernel.supports(new LinearScanSpec(32, 1, 128, 8, 1, Decay.KEY, Write.ADD)));
      assertTrue(no.reason().contains("16384 bytes"), no.reason());
    }
  }
}
