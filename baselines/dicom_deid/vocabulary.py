"""Words that name no one: those of the standard's own codes and attributes, and of radiologists' shorthand."""

import re
from functools import cache

_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_FUNCTION = """
a about above absent according across added advised after again against aged ago all along already also although
always am among an and another any appear appears approximately are around as aside at away axis be because been
before began being below beneath beside best better between beyond big both bottom but by call called came can cannot
cause caused clear close come comes compare compared consider considered continue could day days dear did do does
doing done down due during each either else end ends enough etc even ever every except far few film films final
finding first five follow followed following follows for former four fourth free from full further gave get gets give
given gives go goes going good got great had half has have having he hence her here him his hope hours how however if
in inform informed informing into is it its just keep kept kin kind know known large larger last late lateral later
least left less let like likely little lives long longer look looks low made mainly make makes many may me mean means
might min mine mm month months more most much must my near nearly need needs never new next night nine no nor not note
noted nothing now number of off often old on once one only onto open or other others our out outside over own part
partly per percent perhaps please plus prior probably put quite rather reach reached refer referred regards reported
right said same saw see seen sent serial seven several shall she short should show showed shown shows since six slight
slightly small so some soon still stop subject such suspected suspicious take taken ten than that the their them then
there these they third this those though three through throughout thus time to today together told too took toward
towards two under unless until up upon us use used using usual usually very via view views visible visit was way we
week weeks well went were what when where whether which while who whole whose why wide will with within without work
would year years yes yesterday yet you young younger your jan january feb february mar march apr april jun june jul
july aug august sep sept september oct october nov november dec december mon monday tue tuesday wed wednesday thu
thursday fri friday sat saturday sun sunday
"""
_SHORTHAND = """
abd abdo ac acute adc ant ap apical asl av axial benign bilat bl bold bpm brain bravo breath bw c calcified cap card
caud cc ce cemra cho chronic ciss cm cns con contr cor coronal cp cr cran csf ct cta ctdi ctp cts cube cvs cw cxr
cysto d dce def deg delayed depth dfov diff dilated dixon dl dlp dr dsa dti dual dwi dx dynamic ecg echo ed ef eg ekg
enlarged epi er ess et eval fa fast fat fatsat fe fiesta fiff fl flair flash fov fp fps fr frfse fs fse fu fup fx g
gain gated gd ge gen gn gr grad grappa gre gy hand haste head hepat hi hip hires hl hr hrct hu hx hz ic icu id im ima
img ir iso iv ivc kcts kernel kg kub kv kvp kw l la lad lao lat lava lca ldct le lge li ll lln lo loc localizer lr ls
lt lul lv lvef lvot ma malignant map mas max mcg mdct med mg mi mild mip ml mm moderate mol mono mpr mprage mr mra
mrcp mri mrn mrs mrv ms mt mv na nc neck neg nex nm nml npo ob obl oblique opd or ortho os pa par pat pc pca pcl pd pe
pelv pet pos post postop pre preop primary proj prone prop proset prot pt ptx pvs pw qa qc r ra rad rao rca re recon
recurrent ref reformat residual rest retro rf rl rll rml ro roi rom routine rt rul run rv rvot rx s sag sagittal sat
sc scan scout se sec secondary sens sense seq ser severe sfov sg short sl sms snr sp space spair spc spgr spin spine
ssfp ssfse st stable std stent stir stress study subtr sup supine susp sw swi t tab tbi te tens tf tfe thi thick
thickened thins thk thorax thrive ti tia tib tibia tic tir tirads tirm tis tka toe tof topo tr tra trans transv trig
trueisp trufi tse tv twist tx unchanged uni unremarkable up upright ur us uti v vag vas venc vert vibe vol vs w wb
weight wl wo wt ww x xa xr xray ys z zoom
"""
_ENDINGS = re.compile(
    r"(?:'s|es|s|ed|d|ing|ly|al|ally|ic|ical|ous|ar|ary|ion|ions|ity|ation|ations|ment|ments|"
    r"er|ies|ied|able)$")
_BEGINNINGS = re.compile(
    r"^(?:anti|bi|co|de|dis|hyper|hypo|infra|inter|intra|multi|non|over|para|peri|poly|post|pre|re|semi|sub|supra|"
    r"trans|un|ultra|under)(?=\w{4})")


@cache
def words() -> frozenset[str]:
    """The words themselves, in lower case."""
    from pydicom._dicom_dict import DicomDictionary
    from pydicom.sr._concepts_dict import concepts

    found = {*_FUNCTION.split(), *_SHORTHAND.split()}
    names = {entry[2] for entry in DicomDictionary.values()}
    for text in (*names, *(name for scheme in concepts.values() for name in scheme)):
        found.update(part.lower() for part in _CAMEL.findall(text) if len(part) > 2)
    return frozenset(found)


@cache
def stems() -> frozenset[str]:
    """What is left of words of six letters or more without their endings."""
    return frozenset(_ENDINGS.sub("", word) for word in words() if len(word) >= 6)


@cache
def is_clinical(word: str) -> bool:
    """Whether a word, in lower case, is one of the vocabulary, or made of one by common endings and beginnings."""
    if word in words():
        return True
    bare = _BEGINNINGS.sub("", word)
    if bare in words():
        return True
    stem = _ENDINGS.sub("", bare)
    return len(stem) >= 4 and (stem in words() or f"{stem}e" in words() or f"{stem}y" in words() or stem in stems())
