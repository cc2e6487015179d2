package io.attention4j.kernels.opencl;

import java.util.concurrent.atomic.AtomicInteger;

/** Counts the cl objects of a device that were created and not yet released. Any thread. */
final class LiveObjects {
  final AtomicInteger contexts = new AtomicInteger();
  final AtomicInteger queues = new AtomicInteger();
  final AtomicInteger buffers = new AtomicInteger();
  final AtomicInteger programs = new AtomicInteger();
  final AtomicInteger kernels = new AtomicInteger();

  int total() {
    return contexts.get() + queues.get() + buffers.get() + programs.get() + kernels.get();
  }

  @Override
  public String toString() {
    return contexts
        + " contexts, "
        + queues
        + " queues, "
        + buffers
        + " buffers, "
        + programs
        + " programs, "
        + kernels
        + " kernels";
  }
}
