package io.attention4j.llm.rwkv;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** From the names of RWKV's authors, which rwkv.cpp keeps, to those of GGUF files. */
final class RwkvNames {
  private static final Pattern IN_LAYER = Pattern.compile("blocks\\.(\\d{1,4})\\.(.+)");

  private static final Map<String, String> OUTSIDE =
      Map.of(
          "emb.weight", "token_embd.weight",
          "blocks.0.ln0.weight", "token_embd_norm.weight",
          "blocks.0.ln0.bias", "token_embd_norm.bias",
          "ln_out.weight", "output_norm.weight",
          "ln_out.bias", "output_norm.bias",
          "head.weight", "output.weight");

  private static final Map<String, String> INSIDE =
      Map.ofEntries(
          Map.entry("ln1.weight", "attn_norm.weight"),
          Map.entry("ln1.bias", "attn_norm.bias"),
          Map.entry("ln2.weight", "attn_norm_2.weight"),
          Map.entry("ln2.bias", "attn_norm_2.bias"),
          Map.entry("att.x_rwkvag", "time_mix_lerp_fused.weight"),
          Map.entry("att.ln_x.weight", "time_mix_ln.weight"),
          Map.entry("att.ln_x.bias", "time_mix_ln.bias"),
          Map.entry("ffn.x_k", "channel_mix_lerp_k.weight"),
          Map.entry("ffn.key.weight", "channel_mix_key.weight"),
          Map.entry("ffn.value.weight", "channel_mix_value.weight"));

  private RwkvNames() {}

  /** The GGUF name; the same name where it is unknown, which the loader then refuses. */
  static String gguf(String name) {
    String outside = OUTSIDE.get(name);
    if (outside != null) {
      return outside;
    }
    Matcher matcher = IN_LAYER.matcher(name);
    if (!matcher.matches()) {
      return name;
    }
    String rest = matcher.group(2);
    String inside = INSIDE.get(rest);
    if (inside == null && rest.startsWith("att.")) {
      String role = rest.substring("att.".length());
      inside = "time_mix_" + (role.endsWith(".weight") ? role : role + ".weight");
    }
    return inside == null ? name : "blk." + matcher.group(1) + "." + inside;
  }
}
