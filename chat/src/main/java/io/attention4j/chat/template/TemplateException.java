package io.attention4j.chat.template;

import com.hubspot.jinjava.interpret.InterpretException;

/**
 * A template that cannot be compiled or rendered; the message is a clause without a full stop. An
 * exception of this type passes through jinjava unwrapped.
 */
public final class TemplateException extends InterpretException {
  private static final long serialVersionUID = 1L;

  TemplateException(String message) {
    super(message);
  }
}
