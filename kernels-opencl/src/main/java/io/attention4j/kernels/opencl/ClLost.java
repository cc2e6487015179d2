package io.attention4j.kernels.opencl;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Devices that stopped working in this process: the automatic choice passes over them. */
final class ClLost {
  private static final Map<String, String> REASONS = new ConcurrentHashMap<>();

  private ClLost() {}

  static void remember(ClDevice device, String reason) {
    REASONS.put(device.description(), reason);
  }

  /** Why the device was given up, or null. */
  static String reason(ClDevice device) {
    return REASONS.get(device.description());
  }

  /** Asks a device again that its user names. */
  static void forget(ClDevice device) {
    REASONS.remove(device.description());
  }
}
