package io.attention4j.chat;

import io.attention4j.chat.template.CompiledTemplate;
import io.attention4j.chat.template.TemplateException;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A model's chat template: turns a conversation into the text the model was trained to continue, as
 * Hugging Face transformers' {@code apply_chat_template} does. Immutable; safe from many threads.
 *
 * <p>A template comes with a model file, so it is not trusted: it reaches nothing but the values it
 * is given, and ends with an error when it works or nests too much (docs/chat.md).
 *
 * @see <a href="https://huggingface.co/docs/transformers/chat_templating">Chat templates</a>
 */
public final class ChatTemplate {
  private final CompiledTemplate template;
  private final Map<String, String> specialTokens;

  private ChatTemplate(CompiledTemplate template, Map<String, String> specialTokens) {
    this.template = template;
    this.specialTokens = specialTokens;
  }

  /**
   * Compiles a template.
   *
   * @param jinja the template's source
   * @param specialTokens text of the tokens that templates name: {@code bos_token}, {@code
   *     eos_token} and others
   * @throws ChatTemplateException if the source is not a template
   */
  public static ChatTemplate of(String jinja, Map<String, String> specialTokens) {
    try {
      return new ChatTemplate(new CompiledTemplate(jinja), Map.copyOf(specialTokens));
    } catch (TemplateException e) {
      throw new ChatTemplateException("The chat template is broken at " + e.getMessage() + ".", e);
    }
  }

  /**
   * Renders a conversation.
   *
   * @return the text; it may name special tokens, so encode it with those recognised, and without
   *     adding a BOS of its own
   * @throws ChatTemplateException if the template fails or refuses the conversation
   */
  public String render(List<ChatMessage> messages, RenderOptions options) {
    return renderMaps(messages.stream().map(ChatMessage::toMap).toList(), options);
  }

  /**
   * Renders a conversation that is given as JSON values, for example OpenAI's: content in parts and
   * whatever else the template knows go through as they are.
   *
   * @throws ChatTemplateException if the template fails or refuses the conversation, or a value is
   *     no JSON value
   */
  public String renderMaps(List<Map<String, Object>> messages, RenderOptions options) {
    Map<String, Object> variables = new HashMap<>(specialTokens);
    variables.put("messages", messages);
    variables.put("tools", options.tools().isEmpty() ? null : options.tools());
    variables.put("documents", null);
    variables.put("add_generation_prompt", options.addGenerationPrompt());
    variables.putAll(options.variables());
    try {
      return template.render(variables, ZonedDateTime.now(options.clock()));
    } catch (TemplateException e) {
      throw new ChatTemplateException("The chat template failed at " + e.getMessage() + ".", e);
    }
  }
}
