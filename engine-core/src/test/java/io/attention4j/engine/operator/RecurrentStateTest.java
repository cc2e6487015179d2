package io.attention4j.engine.operator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.Shape;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RecurrentStateTest {
  private KernelSelector kernels;
  private RecurrentState state;

  @BeforeEach
  void open() {
    kernels = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
    state = newState(3);
  }

  private RecurrentState newState(int size) {
    return new RecurrentState("test", kernels.device(), Shape.of(size), Shape.of(2, 2));
  }

  @AfterEach
  void close() {
    state.close();
    kernels.close();
  }

  /** A token writes its number. */
  private void step(int token) {
    state.tensor(0).set(token, 1);
    state.tensor(1).set(-token, 1, 1);
    state.advance(1);
  }

  private static float[] contents(RecurrentState of) {
    return new float[] {of.tensor(0).get(1), of.tensor(1).get(1, 1), of.length()};
  }

  @Test
  void goesBackToASnapshotAndToTheStart() {
    step(1);
    step(2);
    state.snapshot();
    step(3);
    assertInstanceOf(Truncation.Done.class, state.truncateTo(2));
    assertArrayEquals(new float[] {2, -2, 2}, contents(state));
    assertInstanceOf(Truncation.Done.class, state.truncateTo(0));
    assertArrayEquals(new float[] {0, 0, 0}, contents(state));
  }

  @Test
  void refusesOtherLengthsAndNamesTheNearest() {
    for (int token = 1; token <= 6; token++) {
      step(token);
      if (token % 2 == 0) {
        state.snapshot();
      }
    }
    Truncation.Refused refused = assertInstanceOf(Truncation.Refused.class, state.truncateTo(5));
    assertEquals(4, refused.nearest());
    assertEquals(
        "the recurrence test holds 6 tokens in one state and cannot go back to 5; its snapshots"
            + " are at [2, 4, 6]: take one where you want to return to, or compute the tokens from"
            + " 4 on again",
        refused.reason());
    assertArrayEquals(new float[] {6, -6, 6}, contents(state));
  }

  @Test
  void theOldestSnapshotGoesFirst() {
    for (int token = 1; token <= RecurrentState.MAX_SNAPSHOTS + 1; token++) {
      step(token);
      state.snapshot();
    }
    assertEquals(0, ((Truncation.Refused) state.truncateTo(1)).nearest());
    assertInstanceOf(Truncation.Done.class, state.truncateTo(2));
    assertInstanceOf(Truncation.Refused.class, state.truncateTo(1));
  }

  @Test
  void forksAreIndependent() {
    step(1);
    state.snapshot();
    step(2);
    try (RecurrentState fork = (RecurrentState) state.fork()) {
      step(3);
      assertArrayEquals(new float[] {2, -2, 2}, contents(fork));
      assertInstanceOf(Truncation.Done.class, fork.truncateTo(1));
      assertArrayEquals(new float[] {3, -3, 3}, contents(state));
    }
  }

  @Test
  void savesAndLoads() throws IOException {
    step(7);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    state.save(Channels.newChannel(bytes));
    try (RecurrentState other = newState(3)) {
      other.load(Channels.newChannel(new ByteArrayInputStream(bytes.toByteArray())));
      assertArrayEquals(new float[] {7, -7, 1}, contents(other));
    }
    byte[] torn = Arrays.copyOf(bytes.toByteArray(), bytes.size() - 1);
    assertThrows(
        IOException.class, () -> state.load(Channels.newChannel(new ByteArrayInputStream(torn))));
    assertArrayEquals(new float[] {0, 0, 0}, contents(state));
    try (RecurrentState wider = newState(300)) {
      IOException refused =
          assertThrows(
              IOException.class,
              () -> wider.load(Channels.newChannel(new ByteArrayInputStream(bytes.toByteArray()))));
      assertEquals(
          "the saved state is of 'test' version 1 with 128 bytes where 'test' version 1 with 1280"
              + " bytes is expected",
          refused.getMessage());
    }
  }
}
