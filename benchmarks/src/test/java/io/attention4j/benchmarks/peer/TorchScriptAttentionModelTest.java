package io.attention4j.benchmarks.peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.Test;

/** The structure; the profile peers has libtorch load the archives. */
class TorchScriptAttentionModelTest {
  private static Map<String, byte[]> entries(byte[] archive) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(archive))) {
      for (ZipEntry entry; (entry = zip.getNextEntry()) != null; ) {
        assertEquals(ZipEntry.STORED, entry.getMethod(), entry.getName());
        entries.put(entry.getName(), zip.readAllBytes());
      }
    }
    return entries;
  }

  @Test
  void anArchiveHasStateCodeConstantsAndVersion() throws IOException {
    Map<String, byte[]> entries = entries(TorchScriptAttentionModel.bytes(true));
    assertEquals(
        List.of(
            "attention/data.pkl",
            "attention/code/__torch__.py",
            "attention/constants.pkl",
            "attention/version"),
        List.copyOf(entries.keySet()));
    assertArrayEquals(
        new byte[] {(byte) 0x80, 2, ')', '.'}, entries.get("attention/constants.pkl"));
    assertEquals("3\n", new String(entries.get("attention/version"), StandardCharsets.US_ASCII));
    byte[] state = entries.get("attention/data.pkl");
    assertEquals(
        "\u0080\u0002c__torch__\nAttention\nq\u0000)\u0081}q\u0001("
            + "X\u0008\u0000\u0000\u0000training\u0089"
            + "X\u0016\u0000\u0000\u0000_is_full_backward_hookNub.",
        new String(state, StandardCharsets.ISO_8859_1));
  }

  @Test
  void theMaskIsInTheCode() throws IOException {
    for (boolean causal : new boolean[] {false, true}) {
      byte[] code =
          entries(TorchScriptAttentionModel.bytes(causal)).get("attention/code/__torch__.py");
      String text = new String(code, StandardCharsets.US_ASCII);
      assertTrue(text.startsWith("class Attention(Module):\n"), text);
      assertTrue(text.contains("(q, k, v, None, 0., " + (causal ? "True" : "False") + ")"), text);
    }
  }
}
