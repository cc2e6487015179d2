package io.attention4j.chat;

/**
 * A chat template that is not a template, that fails, or that refuses the conversation. The message
 * is one sentence and names the template's line.
 */
public final class ChatTemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  ChatTemplateException(String message, Throwable cause) {
    super(message, cause);
  }
}
