package io.attention4j.cli;

import java.util.Timer;
import java.util.TimerTask;

/**
 * Says on stderr what is being waited for, but only when it takes longer than a second. A line, not
 * a bar: it also suits logs.
 */
final class Progress implements AutoCloseable {
  private static final long SILENT_MILLIS = 1000;

  private final Timer timer = new Timer("attention4j-progress", true);

  private Progress(String what) {
    timer.schedule(
        new TimerTask() {
          @Override
          public void run() {
            System.err.println("attention4j: " + what + " ...");
          }
        },
        SILENT_MILLIS);
  }

  static Progress of(String what) {
    return new Progress(what);
  }

  @Override
  public void close() {
    timer.cancel();
  }
}
