// Questions with options: what is said of the chosen option appears below. Without this script a folded block has it all.
(() => {
  "use strict";
  document.querySelectorAll("fieldset.quiz").forEach(quiz => {
    const said = quiz.querySelector(".quiz-said");
    quiz.querySelector(".quiz-answers").hidden = true;
    quiz.querySelectorAll("input[type=radio]").forEach(button => {
      button.hidden = false;
      button.checked = false;
      button.addEventListener("change", () => {
        const feedback = quiz.querySelector(`.quiz-answers .quiz-feedback[data-letter="${button.value}"]`);
        said.replaceChildren(feedback.cloneNode(true));
      });
    });
  });
})();
