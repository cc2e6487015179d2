package io.attention4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class BenchCommandTest {
  @Test
  void jsonHasBothTests() throws IOException {
    Run run =
        Run.of("bench", "-p", "12", "-n", "4", "-r", "2", "-t", "1", "--depth", "8", "--json");
    assertEquals(0, run.status(), run.err());
    JsonNode root = new ObjectMapper().readTree(run.out());
    assertEquals(1, root.get("version").asInt());
    assertEquals(2, root.get("repetitions").asInt());
    assertEquals(1, root.get("warmup_runs").asInt());
    assertTrue(root.get("jdk").asText().startsWith("25"), run.out());
    assertEquals(2, root.get("tests").size());
    for (JsonNode test : root.get("tests")) {
      assertEquals(8, test.get("depth").asInt());
      JsonNode speed = test.get("tokens_per_second");
      assertEquals(2, speed.get("samples").size());
      assertTrue(speed.get("min").asDouble() > 0, run.out());
      assertTrue(speed.get("min").asDouble() <= speed.get("mean").asDouble(), run.out());
      assertTrue(speed.get("mean").asDouble() <= speed.get("max").asDouble(), run.out());
      assertEquals(
          speed.get("mean").asDouble() * test.get("bytes_per_token").asDouble() / 1e9,
          test.get("gigabytes_per_second").asDouble(),
          1e-9);
    }
    assertEquals("prefill", root.get("tests").get(0).get("test").asText());
    assertEquals("decode", root.get("tests").get(1).get("test").asText());
  }

  /** By hand from the sizes that the demo model's README states. */
  @Test
  void workIsCountedFromTheSizes() throws IOException {
    Run run = Run.of("bench", "-p", "2", "-n", "1", "-r", "1", "-w", "0", "-t", "1", "--json");
    JsonNode tests = new ObjectMapper().readTree(run.out()).get("tests");
    double weights = 6 * (192.0 * (6 * 64 + 2 * 64) + 3 * 192.0 * 512);
    double head = 192.0 * 1024;
    double attention = 2.0 * 6 * 64 * 6; // per key: q . k and p . v, 6 heads in 6 layers
    assertEquals(
        2 * (weights + head) + attention, tests.get(1).get("operations_per_token").asDouble(), 1);
    assertEquals(
        (2 * (2 * weights + head) + (1 + 2) * attention) / 2,
        tests.get(0).get("operations_per_token").asDouble(),
        1);
    double q8 = 34.0 / 32;
    double norms = 4 * 192 * (2 * 6 + 1);
    double kv = 6 * 2 * 64 * 2; // f16, one token
    assertEquals(
        q8 * (weights + head) + kv, tests.get(1).get("bytes_per_token").asDouble(), norms + 1);
  }

  @Test
  void theTableSaysHowItWasMeasured() {
    Run run = Run.of("bench", "-p", "4", "-n", "0", "-r", "1", "-w", "0");
    assertEquals(0, run.status(), run.err());
    for (String word :
        new String[] {
          "kernels", "JDK", "1 repetition", "0 warm-up", "mean tok/s", "GB/s", "GFLOP/s", "prefill"
        }) {
      assertTrue(run.out().contains(word), run.out());
    }
    assertTrue(!run.out().contains("decode  "), run.out());
  }

  @Test
  void wrongUsage() {
    for (String args :
        new String[] {
          "bench -p 0 -n 0", "bench -p -1", "bench -r 0", "bench -w -1", "bench -p 32 -c 16"
        }) {
      Run run = Run.of(args.split(" "));
      assertEquals(2, run.status(), args + run.err());
      assertEquals(1, run.err().lines().count(), run.err());
    }
  }
}
