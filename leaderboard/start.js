// Everything that needs a script shows itself now; the figures for paper make room.
document.querySelectorAll(".live").forEach(element => { element.hidden = false; });
document.querySelectorAll(".paper").forEach(element => { element.hidden = true; });
startTable();
startQuestion();
startPlot();
startCurves();
startCompare();
update();
